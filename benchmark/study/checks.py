"""Validate a study: every name in it stands for something, and every value fits."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from benchmark import objectives, tasks
from benchmark.advantages import ESTIMATORS
from benchmark.common.errors import CrosstalkError, blaming, unknown
from benchmark.common.hub import missing
from benchmark.common.paths import CALIBRATION, model_folder, relative
from benchmark.common.settings import read_json
from benchmark.models.entry import SEEDS
from benchmark.models.fitting import check_source
from benchmark.objectives import OBJECTIVES
from benchmark.objectives.accuracy import Accuracy
from benchmark.objectives.calibrated import Calibrated
from benchmark.scalarizers import Linear
from benchmark.study.entries import StudyObjective
from benchmark.study.loading import find_study, study_names
from benchmark.study.schema import CellFilter
from benchmark.study.study import Study
from benchmark.study.tuning import trials_study
from benchmark.study.tuning_checks import check_plan, told_of
from benchmark.tasks import TASKS, Split

RESERVED = {"name", "objectives", "weights"}  # set by other keys of the study file
BESIDE_ALGORITHMS = {"baseline", "probe"}  # folders next to those of an objective set's algorithms
BESIDE_MODELS = {"tracking.json", "leaderboard.built", "report.built", CALIBRATION}  # logs besides


def check(study: Study) -> None:
    """Refuse a study that could not run to its end, before anything is trained.

    Raises:
        CrosstalkError: An unknown name, parameters or weights that do not fit, or too little data.
    """
    _check_own_name(study)
    _check_reserved(study)
    for model in study.file.models:
        _check_server(study, model)
        _check_seeds(study, model)
    estimator, task = study.file.training.estimator, study.file.task.name
    _check_known(study, "estimator", estimator, ESTIMATORS, "training.estimator")
    if ":" not in task:  # else of somebody's own module
        _check_known(study, "task", task, TASKS.keys() | tasks.PLUGINS.names(), "task.name")
    check_splits(study)
    for model in study.file.models:
        _check_processes(study, model)
        _check_passes(study, model)
    for name, given in study.file.algorithms.items():
        _check_algorithm(study, name, given or {})
    for name, given in study.file.objectives.items():
        _check_objective(study, name, given or {})
    for name in study.file.objective_sets:
        _check_objectives(study, name)
    for number, picked in enumerate(study.file.exclude):
        _check_filter(study, f"exclude.{number}", picked)
    kinds = {(cell.objective_set, cell.algorithm.id): cell for cell in study.cells}
    for cell in kinds.values():
        with _at(study, f"algorithms.{cell.algorithm.id}"):
            cell.make_scalarizer()
    for model in study.preparation_order():
        check_source(model, study.models[model], study.layout.root)
    if study.file.tuning is not None:
        check_plan(study)
        trials = trials_study(study)
        with told_of(study, trials):
            check(trials)


def _check_own_name(study: Study) -> None:
    """Refuse a study whose name, and so its results, are another file's."""
    root = study.layout.root
    owner = find_study(study.name, root) if study.name in study_names(root) else None
    if owner is None and study.layout.tracking.is_file():
        with suppress(CrosstalkError):  # a record that cannot be read names nobody
            owner = root / str(read_json(study.layout.tracking).get("file", study.given_path))
    if owner is not None and owner.is_file() and not _same(owner, study.path):
        raise CrosstalkError(
            f"{study.where}: there is a study {study.name!r} already, {relative(owner)}, whose "
            f"results lie in {relative(study.layout.runs)}; rename one of the files"
        )


def _same(one: Path, other: Path) -> bool:
    """Say whether two paths are one file; a derived study's may not be written yet."""
    return other.exists() and one.samefile(other)


def _check_reserved(study: Study) -> None:
    """Refuse ids that are names of the workflow's own files and folders."""
    for kind, ids, taken in (
        ("algorithms", study.file.algorithms, BESIDE_ALGORITHMS),
        ("models", study.file.models, BESIDE_MODELS),
    ):
        for name in ids:
            if name in taken or (kind == "models" and name.endswith(".log")):
                raise CrosstalkError(
                    f"{study.where}: {kind}.{name}: the workflow has a file or folder of that "
                    "name; give the entry another id"
                )


def check_splits(study: Study) -> None:
    """Read the task's problems, as many as the study takes, unless they are not downloaded yet.

    Raises:
        CrosstalkError: The task has fewer, or what it reads does not fit.
    """
    with _at(study, "task.parameters"):
        task = study.task
    if missing(task.needs()):
        return  # `crosstalk check` lists what has to be downloaded, `crosstalk prepare` does it
    own: dict[str, Split] = {"train": "train", "validation": "validation"}
    splits = own | {"test": study.file.evaluation.split}
    for key, split in splits.items():
        with _at(study, f"task.{key}"), blaming(f"task {study.file.task.name!r}"):
            task.split(split, getattr(study.file.task, key))
    plan = study.file.diagnosis
    if plan is not None:
        with _at(study, "diagnosis.prompts and max_prompts"):
            task.split("validation", plan.prompts + plan.max_prompts)


def _check_seeds(study: Study, model: str) -> None:
    """Refuse seeds that the tables could not tell from those of another model of the recipe."""
    given = study.models[model].seed
    if given is not None and max(study.file.seeds) >= SEEDS:
        raise CrosstalkError(
            f"{study.where}: seeds: expected less than {SEEDS} with {model!r}, whose recipe has a "
            f"seed of its own, got {max(study.file.seeds)}"
        )


def _check_server(study: Study, model: str) -> None:
    served = study.models[model].resources.vllm_server is not None
    if study.file.training.rollouts == "vllm-server" and not served:
        raise CrosstalkError(
            f"models.yaml: {model}: resources.vllm_server: expected http://HOST:PORT, got nothing; "
            f"{study.where} has training.rollouts: vllm-server"
        )


def _check_processes(study: Study, model: str) -> None:
    """Refuse processes that could not share the batches of training and validation equally."""
    training, gpus = study.file.training, study.models[model].resources.gpus
    completions = training.prompts_per_step * training.completions_per_prompt
    for batch, size in (
        ("completions of an update", completions // training.minibatches),
        ("validation prompts", study.file.task.validation),
    ):
        if gpus > 1 and size % gpus:
            raise CrosstalkError(
                f"models.yaml: {model}: resources.gpus: expected a divisor of the {size} {batch} "
                f"in {study.where}, got {gpus}"
            )


def _check_passes(study: Study, model: str) -> None:
    """Refuse micro-batches where the loss depends on their number."""
    training, own = study.file.training, study.models[model]
    completions = training.prompts_per_step * training.completions_per_prompt
    share = completions // training.minibatches // max(1, int(own.resources.gpus))
    at_once = own.training.completions_at_once(share)
    if training.loss == "bnpo" and at_once < share:
        raise CrosstalkError(
            f"models.yaml: {model}: training.micro_batch: expected at least {share}, the "
            f"completions of an update, got {own.training.micro_batch}: {study.where} has "
            "training.loss: bnpo, which divides by the tokens of a micro-batch; dapo divides by "
            "those of the update"
        )


def _check_algorithm(study: Study, name: str, given: dict[str, Any]) -> None:
    where, scalarizer = f"{study.where}: algorithms.{name}", given.get("scalarizer", name)
    if not isinstance(scalarizer, str):
        raise CrosstalkError(f"{where}.scalarizer: expected a name, got {scalarizer!r}")
    for key in sorted(RESERVED & given.keys()):
        raise CrosstalkError(f"{where}.{key}: not a parameter; weights go with objective_sets")
    with _at(study, f"algorithms.{name}"):
        study.scalarizer_class(scalarizer).check_estimator(study.file.training.estimator)


def _check_objective(study: Study, name: str, given: dict[str, Any]) -> None:
    where, kind = f"objectives.{name}", given.get("objective", name)
    if not isinstance(kind, str):
        raise CrosstalkError(f"{study.where}: {where}.objective: expected a name, got {kind!r}")
    if ":" not in kind:  # else of somebody's own module
        known = OBJECTIVES.keys() | objectives.PLUGINS.names()
        _check_known(study, "objective", kind, known, where)
    if name in OBJECTIVES and kind != name:
        raise CrosstalkError(
            f"{study.where}: {where}.objective: expected {name!r}, got {kind!r}: "
            "the id is that of an objective of the package; give the entry another"
        )
    with _at(study, where):
        entry = study.objective(name)
    _check_entry(study, entry, where)
    _check_scale(study, entry, where)
    with _at(study, where):
        objective = entry.make(partial(_source, study))
        if all(study.models[model].path is not None for model in entry.all_models):
            objective.check()


def _check_entry(study: Study, entry: StudyObjective, where: str) -> None:
    """Refuse names of models that stand for nothing, in an entry or its parts."""
    for key, model in entry.models.items():
        if not isinstance(model, str):
            raise CrosstalkError(f"{study.where}: {where}.{key}: expected a name, got {model!r}")
        _check_known(study, "model", model, study.models, f"{where}.{key}")
    for key, part in entry.parts.items():
        _check_entry(study, part, f"{where}.{key}")


def _check_scale(study: Study, entry: StudyObjective, where: str) -> None:
    """Refuse a scale that cannot be fitted, or that is both fitted and given."""
    if not issubclass(entry.cls, Calibrated):
        return
    given, policy = entry.parameters, entry.parameters.get("policy")
    if not entry.is_fitted:
        for key in sorted({"policy", "prompts"} & given.keys()):
            raise CrosstalkError(
                f"{study.where}: {where}.{key}: expected none where fit is given, "
                f"got {given[key]!r}"
            )
        return
    with _at(study, where):
        made = entry.make(partial(_source, study))
    _check_known(study, "model", policy, study.models, f"{where}.policy")
    if isinstance(made, Calibrated) and made.prompts > study.file.task.train:
        raise CrosstalkError(
            f"{study.where}: {where}.prompts: expected at most task.train, "
            f"{study.file.task.train}, got {made.prompts}"
        )


def _source(study: Study, model: str) -> Path:
    """Return where a model is before it is prepared, if that is known."""
    own = study.models[model].path
    root = study.layout.root
    return Path(relative(root / own)) if own is not None else model_folder(root, model)


def _check_objectives(study: Study, name: str) -> None:
    own = study.file.objectives.keys()
    known = OBJECTIVES.keys() | objectives.PLUGINS.names() | own
    for objective in study.objective_names(name):
        _check_known(study, "objective", objective, known, f"objective_sets.{name}")
    taken = list(study.objective_names(name))
    apart = f"objective_sets.{name}.evaluation_only"
    for objective in study.objective_set(name).evaluation_only:
        _check_known(study, "objective", objective, known, apart)
        if objective in taken:
            raise CrosstalkError(
                f"{study.where}: {apart}: expected objectives that are in the set once and not "
                f"trained on, got {objective!r} twice"
            )
        taken.append(objective)
    for objective in taken:
        _check_judge(study, objective, f"objective_sets.{name}")
    with _at(study, f"objective_sets.{name}"):
        study.make_evaluated(name)
        Linear(study.objective_names(name), study.objective_set(name).weights)
    ids = [algorithm.id for algorithm in study.algorithms(name)]
    for twice in sorted({id_ for id_ in ids if ids.count(id_) > 1}):
        raise CrosstalkError(f"{study.where}: algorithms: {twice!r} is made twice; rename one")


def _check_judge(study: Study, objective: str, where: str) -> None:
    """Refuse an objective that would compare answers which only another one knows how to read."""
    judge = getattr(type(study.task), "judge", None)
    if judge is not None and Accuracy in study.objective(objective).classes:
        raise CrosstalkError(
            f"{study.where}: {where}: expected no accuracy in {objective!r}: what answers of the "
            f"task {study.file.task.name!r} mean is known to the objective {judge!r}"
        )


def _check_filter(study: Study, key: str, picked: CellFilter) -> None:
    axis = {entry.id for name in study.file.objective_sets for entry in study.algorithms(name)}
    for kind, value, known in (
        ("model", picked.model, study.file.models),
        ("objective set", picked.objectives, study.file.objective_sets),
        ("algorithm", picked.algorithm, axis),
        ("seed", picked.seed, study.file.seeds),
    ):
        if value is not None:
            _check_known(study, kind, value, known, key)


def _check_known(study: Study, kind: str, value: object, known: Collection[Any], key: str) -> None:
    if value not in known:
        raise unknown(kind, value, map(str, known), f"{study.where}: {key}")


@contextmanager
def _at(study: Study, key: str) -> Iterator[None]:
    """Say in an error of the block which key of the study file it is about."""
    try:
        yield
    except CrosstalkError as error:
        raise CrosstalkError(f"{study.where}: {key}: {error}") from error
