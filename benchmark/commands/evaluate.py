"""``crosstalk evaluate``: evaluate a trained cell from its checkpoint, completing its run."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmark.commands.baseline import Baseline, evaluation_problems, read_baseline
from benchmark.commands.jobs import checkpoints, retracking
from benchmark.commands.jobs.comparison import comparison
from benchmark.commands.jobs.initial import keep_initial
from benchmark.commands.jobs.records import Evaluated, Trained, diverged
from benchmark.commands.prepare import prepare_objectives
from benchmark.common.errors import CrosstalkError, Diverged, Faulty
from benchmark.common.files import exclusive, replacing, scratch_folder, write_text
from benchmark.common.paths import model_folder
from benchmark.common.settings import read_json
from benchmark.models.policy.answers import generate
from benchmark.models.policy.lora import ADAPTER, is_adapter
from benchmark.objectives.scoring import score, to_frame
from benchmark.study.study import Cell
from benchmark.tracking import names as tracked
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.names import split_metric
from benchmark.tracking.run import CellRun


def evaluate(cell: Cell) -> None:
    """Draw and score completions of the test problems, keep them, and log the comparison."""
    with exclusive(cell.folder / ".lock", f"evaluating {cell.id}"):
        record = Trained.of(cell)
        checkpoint = cell.folder / record.checkpoint
        _verify(cell, checkpoint)
        record = retracking.present(cell, record)
        baseline = read_baseline(cell.study, cell.model, cell.objective_set)
        uri = tracking_uri(cell.study.layout.root)
        table = cell.folder / tracked.COMPLETIONS
        with CellRun.attach(uri, record.run_id) as run:
            run.evaluate_as(cell.id, cell.hash, cell.diagnosis_hash)
            try:
                metrics = _measure(cell, checkpoint, baseline, table)
            except Diverged as error:
                raise diverged(cell, run, error) from error
            except Faulty as error:
                raise Faulty(f"{cell.id}: {error}") from error
            run.log(checkpoints.step_of(checkpoint), metrics)
            run.artifact(table)
            keep_initial(cell, run)
            run.tag(evaluation_backend=baseline.backend)
            run.end("complete")
        Evaluated(cell.hash, record.run_id, metrics).write(cell.folder)


@contextmanager
def _beside_its_model(cell: Cell, checkpoint: Path) -> Iterator[Path]:
    """Yield the checkpoint; of adapters that name a model elsewhere, a view that names ours.

    Adapters are saved with the whole path of their model, which a project that is moved leaves.
    """
    model = model_folder(cell.study.layout.root, cell.model).absolute()
    saved = read_json(checkpoint / ADAPTER) if is_adapter(checkpoint) else {}
    if Path(saved.get("base_model_name_or_path", model)) == model:
        yield checkpoint
        return
    with scratch_folder(".moved.", cell.folder) as view:
        for file in checkpoint.iterdir():
            if file.name != ADAPTER:
                (view / file.name).symlink_to(file.absolute())
        write_text(view / ADAPTER, json.dumps(saved | {"base_model_name_or_path": str(model)}))
        yield view


def _verify(cell: Cell, checkpoint: Path) -> None:
    """Refuse a checkpoint that is not whole; the cell counts as not trained from then on."""
    try:
        checkpoints.verify(checkpoint)
    except CrosstalkError:
        (cell.folder / Trained.FILE).unlink()
        raise


def _measure(cell: Cell, checkpoint: Path, baseline: Baseline, table: Path) -> dict[str, float]:
    """Write the policy's scored completions to ``table`` and return the metrics they give."""
    study, names, apart = cell.study, cell.objectives, cell.evaluation_only
    plan = study.file.evaluation.model_copy(update={"backend": baseline.backend})
    with _beside_its_model(cell, checkpoint) as folder:
        completions = generate(folder, evaluation_problems(study), study.file.sampling, plan)
    prepare_objectives(study, cell.objective_set)
    # A moving threshold is held at the initial policy's, so that runs compare.
    objectives = study.make_evaluated(cell.objective_set)
    rewards = score(completions, [o.for_evaluation(baseline.tokens) for o in objectives])
    with replacing(table) as path:
        to_frame(completions, rewards, [*names, *apart]).to_parquet(path, index=False)
    weights = np.array(cell.make_scalarizer().weights.tolist())
    trained, others = np.split(rewards, [len(names)], axis=2)
    metrics = comparison(trained, baseline.rewards, weights, names)
    return (
        metrics
        | _apart(others, baseline.evaluation_only, apart)
        | {
            tracked.TEST_TOKENS: float(completions.tokens.mean()),
            tracked.TEST_TOKENS_INITIAL: baseline.tokens,
            tracked.TEST_PROMPTS: float(len(rewards)),
        }
    )


def _apart(final: np.ndarray, initial: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Return the metrics of objectives that are evaluated alone: no score has a part of them."""
    if not names:
        return {}
    found = comparison(final, initial, np.zeros(len(names)), names)
    return {name: found[name] for name in found if split_metric(name)[1] != tracked.SCORE}
