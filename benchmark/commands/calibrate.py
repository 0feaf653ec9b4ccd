"""``crosstalk calibrate``: fit the scale of an objective on a model's initial policy.

On training prompts: what is rewarded there is what the scale is for. Validation problems choose
between settings and checkpoints, and test problems compare policies; neither may shape a reward.
"""

from benchmark.commands.prepare import prepare
from benchmark.common.errors import CrosstalkError, Faulty, unknown
from benchmark.common.files import exclusive, replacing
from benchmark.models.policy.answers import generate
from benchmark.models.policy.engines import evaluation_backend
from benchmark.objectives.calibrated import Calibrated, fitted
from benchmark.objectives.scoring import score, to_frame
from benchmark.study.calibrations import Calibration
from benchmark.study.study import Study
from benchmark.tracking.names import COMPLETIONS


def calibrate(study: Study, name: str) -> Calibration:
    """Draw completions of training prompts, score them, and write the record of the scale.

    The scored completions lie beside it, with the rewards as they are without the scale.

    Raises:
        CrosstalkError: The study fits no such scale, or the rewards do not differ.
    """
    objective = _objective(study, name)
    folder, where = study.layout.calibration(name), f"{study.where}: objectives.{name}"
    with exclusive(folder / ".lock", f"calibrating {name}"):
        plan, policy = study.file.evaluation, study.policy_of(name)
        backend = evaluation_backend(plan.backend)
        drawn = plan.model_copy(update={"backend": backend, "samples": 1})
        made = {each: prepare(study.layout.root, each) for each in study.calibration_models(name)}
        problems = study.task.split("train", study.file.task.train)[: objective.prompts]
        completions = generate(made[policy], problems, study.file.sampling, drawn)
        raw = objective.reward.for_evaluation(float(completions.tokens.mean()))
        try:
            rewards = score(completions, [raw])
        except Faulty as error:
            raise Faulty(f"{name}: {error}") from error
        fit = fitted(rewards.ravel().tolist(), objective.quantiles, where)
        with replacing(folder / COMPLETIONS) as path:
            to_frame(completions, rewards, [objective.reward.name]).to_parquet(path, index=False)
        found = Calibration(
            hash=study.calibration_hash(name),
            policy=policy,
            kind=objective.kind,
            quantiles=list(objective.quantiles),
            fit=list(fit),
            completions=int((rewards == rewards).sum()),  # NaN where it does not apply
            backend=backend,
        )
        found.write(folder)
    return found


def _objective(study: Study, name: str) -> Calibrated:
    known = [each for each in study.file.objectives if study.objective(each).is_fitted]
    if name not in known:
        raise unknown("objective with a fitted scale", name, known, study.where)
    (made,) = study.make_named([name])
    if not isinstance(made, Calibrated):
        raise CrosstalkError(f"{study.where}: objectives.{name}: expected calibrated, got {made}")
    return made
