"""``crosstalk baseline`` and ``evaluate``: from a checkpoint to the tracked comparison."""

import json
import math
import shutil
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache
from projects import STUDY, Project
from tracked import tracked_runs

from benchmark.commands import evaluate as evaluation_stage
from benchmark.commands.baseline import evaluate_initial, read_baseline
from benchmark.commands.compare import compare
from benchmark.commands.evaluate import comparison, evaluate
from benchmark.commands.jobs.records import Evaluated, Trained
from benchmark.commands.leaderboard import expected_cells
from benchmark.commands.train import train
from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames import overall
from benchmark.leaderboard.results.table import collect
from benchmark.models.policy.answers import Completions
from benchmark.models.policy.sampling import Evaluation
from benchmark.objectives import Conciseness
from benchmark.study import Cell, load_study
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import connect

pytestmark = pytest.mark.slow  # real trainings

NAMES = ("accuracy", "conciseness", "clarity")


def only_run(cell: Cell) -> dict[str, Any]:
    (run,) = tracked_runs(tracking_uri(cell.study.layout.root), STUDY).to_dict("records")
    return run


def test_the_baseline_is_kept(project: Project) -> None:
    study = project.study()
    evaluate_initial(study, "tiny", "math3")
    folder = study.layout.baseline("tiny", "math3")
    frame = pd.read_parquet(folder / "completions.parquet")
    record = json.loads((folder / "baseline.json").read_text())
    baseline = read_baseline(study, "tiny", "math3")
    assert baseline.rewards.shape == (6, 2, 3)
    assert record["tokens"] == baseline.tokens == frame["tokens"].mean()
    assert record["hash"] == study.baseline_hash("tiny", "math3")
    assert record["means"]["clarity"] == frame["reward/clarity"].mean()
    shorter = frame["tokens"] < baseline.tokens
    assert frame["reward/conciseness"].tolist() == shorter.astype(float).tolist()
    assert 0 < shorter.mean() < 1


def test_the_initial_policy_evaluates_the_same_twice(project: Project) -> None:
    study = project.study()
    evaluate_initial(study, "tiny", "math3")
    file = study.layout.baseline("tiny", "math3") / "completions.parquet"
    first = pd.read_parquet(file)
    evaluate_initial(study, "tiny", "math3")
    pd.testing.assert_frame_equal(pd.read_parquet(file), first)


def test_an_evaluated_cell_completes_its_run(trained: Cell) -> None:
    evaluate(trained)
    run = only_run(trained)
    frame = pd.read_parquet(trained.folder / "completions.parquet")
    baseline = read_baseline(trained.study, "tiny", "math3")
    assert run["tags.status"] == "complete"
    assert run["tags.cell_hash"] == trained.hash
    assert run["metrics.test/prompts"] == 6
    assert run["metrics.test/tokens"] == frame["tokens"].mean()
    assert run["metrics.test/tokens/initial"] == baseline.tokens
    for name in NAMES:
        value = frame[f"reward/{name}"].mean()
        assert run[f"metrics.test/{name}"] == pytest.approx(value)
        assert run[f"metrics.test/{name}/delta"] == pytest.approx(
            value - run[f"metrics.test/{name}/initial"]
        )
    deltas = [run[f"metrics.test/{name}/delta"] for name in NAMES]
    assert run["metrics.test/score/delta"] == pytest.approx(sum(deltas) / 3, abs=1e-6)
    record = json.loads((trained.folder / Evaluated.FILE).read_text())
    assert (record["hash"], record["run_id"]) == (trained.hash, run["run_id"])
    client = connect(tracking_uri(trained.study.layout.root))
    kept = {file.path for file in client.list_artifacts(run["run_id"])}
    assert kept == {"completions.parquet", INITIAL}


def test_evaluation_holds_conciseness_fixed(trained: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds: list[float] = []
    original = Conciseness.rewards

    def watched(self: Conciseness, **columns: Any) -> list[float]:
        thresholds.append(self.threshold)
        return original(self, **columns)

    monkeypatch.setattr(Conciseness, "rewards", watched)
    evaluate(trained)
    baseline = read_baseline(trained.study, "tiny", "math3")
    assert thresholds == [baseline.tokens]


def test_evaluating_again_gives_the_same_result(trained: Cell) -> None:
    evaluate(trained)
    first = json.loads((trained.folder / Evaluated.FILE).read_text())
    evaluate(trained)
    assert json.loads((trained.folder / Evaluated.FILE).read_text()) == first
    assert only_run(trained)["tags.status"] == "complete"


def test_a_clock_set_back_publishes_the_new_one(
    project: Project, trained: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(trained)
    changed = project.cell(evaluation={"seed": 5, "samples": 3})
    assert changed.training_hash == trained.training_hash
    evaluate_initial(changed.study, "tiny", "math3")
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 3 * 86_400)
    evaluate(changed)
    record = json.loads((changed.folder / Evaluated.FILE).read_text())
    run = only_run(changed)
    assert {name: run[f"metrics.{name}"] for name in record["metrics"]} == record["metrics"]
    assert (run["tags.cell_hash"], run["tags.status"]) == (changed.hash, "complete")


def test_a_failed_repetition_hides_the_old_result(
    project: Project, trained: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(trained)
    changed = project.cell(evaluation={"seed": 5})
    evaluate_initial(changed.study, "tiny", "math3")
    monkeypatch.setattr(CellRun, "artifact", lambda self, path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(changed)
    run = only_run(changed)
    assert (run["tags.cell_hash"], run["tags.status"]) == (changed.hash, "failed")


@pytest.mark.parametrize("old_place", ["gone", "still there"])
def test_a_moved_project_evaluates_in_its_new_place(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch, old_place: str
) -> None:
    """Adapters, too, whose checkpoint names the folder of their model."""
    models = tracked_project.root / "models.yaml"
    models.write_text("tiny: {path: model, training: {lora: {rank: 2}}}\n")
    cell = tracked_project.cell()
    evaluate_initial(cell.study, "tiny", "math3")
    train(cell)
    evaluate(cell)
    result = json.loads((cell.folder / Evaluated.FILE).read_text())
    moved = tracked_project.root.parent / f"moved {tracked_project.root.name}"
    shutil.copytree(tracked_project.root, moved)
    if old_place == "gone":
        shutil.rmtree(tracked_project.root)
        tracked_project.root.mkdir()  # or the next test gets its name, and what is cached for it
    before = sorted(tracked_project.root.rglob("*"))
    monkeypatch.chdir(moved)
    _artifact_repos_cache.clear()  # a process that starts in the new place has none
    cell = load_study("lab", moved).cells[0]
    (cell.folder / Evaluated.FILE).unlink()
    evaluate(cell)
    assert json.loads((cell.folder / Evaluated.FILE).read_text()) == result
    assert "completions of one run are gone" not in compare(cell.study, cell.id, cell.id)
    assert sorted(tracked_project.root.rglob("*")) == before
    assert not [path for path in cell.folder.iterdir() if path.name.startswith(".moved")]


def test_a_cell_that_is_not_trained_is_told(tracked_project: Project) -> None:
    with pytest.raises(CrosstalkError, match="seed0: not trained; run `crosstalk train lab tiny/"):
        evaluate(tracked_project.cell())


def test_another_training_hash_is_not_evaluated(project: Project, trained: Cell) -> None:
    with pytest.raises(CrosstalkError, match="not trained"):
        evaluate(project.cell(training={"learning_rate": 1e-3}))


def test_a_missing_baseline_is_told(tracked_project: Project) -> None:
    cell = tracked_project.cell()
    train(cell)
    with pytest.raises(CrosstalkError, match="baseline: the initial policy is not evaluated; run"):
        evaluate(cell)
    assert only_run(cell)["tags.status"] == "trained"
    evaluate_initial(cell.study, "tiny", "math3")
    changed = tracked_project.cell(evaluation={"samples": 3})
    with pytest.raises(CrosstalkError, match="the initial policy is not evaluated"):
        evaluate(changed)


def test_a_corrupt_checkpoint_is_not_evaluated(trained: Cell) -> None:
    checkpoint = trained.folder / Trained.of(trained).checkpoint
    (checkpoint / "config.json").write_text("{}")
    with pytest.raises(CrosstalkError, match=r"checkpoint-3/config\.json: differs from its"):
        evaluate(trained)
    assert not (trained.folder / Evaluated.FILE).exists()
    assert only_run(trained)["tags.status"] == "trained"


def test_a_checkpoint_that_is_gone_is_told(trained: Cell) -> None:
    shutil.rmtree(trained.folder / "checkpoints")
    with pytest.raises(CrosstalkError, match=r"manifest\.json: cannot be read"):
        evaluate(trained)


def test_a_lost_checkpoint_is_trained_again(trained: Cell) -> None:
    """The advice is followed to its end."""
    checkpoint = trained.folder / Trained.of(trained).checkpoint
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CrosstalkError, match=r"remove the folder .*/checkpoints to train the cell"):
        evaluate(trained)
    assert not (trained.folder / Trained.FILE).exists()  # so the workflow trains it
    shutil.rmtree(trained.folder / "checkpoints")
    train(trained)
    evaluate(trained)
    assert Evaluated.read(trained.folder, trained.hash) is not None


def test_training_by_hand_sees_a_lost_checkpoint(trained: Cell) -> None:
    shutil.rmtree(trained.folder / "checkpoints")
    train(trained)
    evaluate(trained)
    shutil.rmtree(trained.folder / "checkpoints")  # nothing needs it any more
    train(trained)
    assert not (trained.folder / "checkpoints").exists()


@pytest.mark.parametrize("file", ["baseline.json", "completions.parquet"])
def test_a_cut_baseline_is_told_and_made_anew(trained: Cell, file: str) -> None:
    path = trained.study.layout.baseline("tiny", "math3") / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CrosstalkError, match="run `crosstalk baseline lab tiny math3` first"):
        evaluate(trained)
    evaluate_initial(trained.study, "tiny", "math3")
    evaluate(trained)


def test_a_cut_training_record_is_made_anew(trained: Cell) -> None:
    path = trained.folder / Trained.FILE
    path.write_text(path.read_text()[:30])
    with pytest.raises(CrosstalkError, match="not trained; run `crosstalk train lab tiny/math3/"):
        evaluate(trained)
    train(trained)  # from its last checkpoint: no step is made again
    evaluate(trained)
    assert Evaluated.read(trained.folder, trained.hash) is not None


def test_evaluation_may_be_repeated_after_a_failure(
    trained: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Conciseness, "rewards", lambda self, **columns: [float("inf")] * 12)
        with pytest.raises(
            CrosstalkError, match=r"'conciseness': completion 0: expected a finite .*, got inf"
        ):
            evaluate(trained)
    assert not (trained.folder / "completions.parquet").exists()
    assert only_run(trained)["tags.status"] == "failed"
    evaluate(trained)
    assert only_run(trained)["tags.status"] == "complete"


def test_a_cell_uses_its_baselines_backend(trained: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    real = evaluation_stage.generate

    def generate(folder: Any, problems: Any, sampling: Any, plan: Evaluation) -> Any:
        drawn.append(plan.backend)
        return real(folder, problems, sampling, plan.model_copy(update={"backend": "transformers"}))

    monkeypatch.setattr(evaluation_stage, "generate", generate)
    file = trained.study.layout.baseline("tiny", "math3") / "baseline.json"
    record = json.loads(file.read_text())
    assert record["backend"] == "transformers"
    file.write_text(json.dumps(record | {"backend": "vllm"}))
    evaluate(trained)
    assert drawn == ["vllm"]
    assert only_run(trained)["tags.evaluation_backend"] == "vllm"


def test_an_objective_for_evaluation_alone_is_measured_and_not_trained_on(
    tracked_project: Project,
) -> None:
    pair = {"objectives": ["accuracy", "clarity"], "evaluation_only": ["conciseness", "brief"]}
    own = {"brief": {"objective": "length_penalty", "target": 4, "limit": 12}}
    cell = tracked_project.cell(objective_sets={"math3": None, "pair": pair}, objectives=own)
    cell = next(each for each in cell.study.cells if each.objective_set == "pair")
    evaluate_initial(cell.study, "tiny", "pair")
    train(cell)
    evaluate(cell)
    run = only_run(cell)
    frame = pd.read_parquet(cell.folder / "completions.parquet")
    initial = read_baseline(cell.study, "tiny", "pair")
    assert (initial.rewards.shape, initial.evaluation_only.shape) == ((6, 2, 2), (6, 2, 2))
    for column, name in enumerate(["conciseness", "brief"]):
        value = frame[f"reward/{name}"].mean()
        before = initial.evaluation_only[:, :, column].mean()
        assert run[f"metrics.test/{name}"] == pytest.approx(value)
        assert run[f"metrics.test/{name}/initial"] == pytest.approx(before)
        assert run[f"metrics.test/{name}/delta"] == pytest.approx(value - before, abs=1e-6)
        assert run[f"metrics.test/{name}/delta_se"] >= 0
    deltas = [run[f"metrics.test/{name}/delta"] for name in ("accuracy", "clarity")]
    assert run["metrics.test/score/delta"] == pytest.approx(sum(deltas) / 2, abs=1e-6)
    trained_on = {key for key in run if key.startswith(("metrics.train/reward", "metrics.validat"))}
    assert trained_on
    assert not any("conciseness" in key or "brief" in key for key in trained_on)
    table = collect(
        tracking_uri(cell.study.layout.root), STUDY, {cell.id: expected_cells(cell.study)[cell.id]}
    )
    assert table.apart["objective"].tolist() == ["conciseness", "brief"]
    assert table.cells["objective"].tolist() == ["accuracy", "clarity"]


# ---- comparing -----------------------------------------------------------------------------------


def test_comparison_by_hand() -> None:
    # Means over completions: final (1, 0) (0.5, 1); initial (0.5, 1) (0.5, 0).
    final = np.array([[[1, 0], [1, 0]], [[1, 1], [0, 1]]], dtype=float)
    initial = np.array([[[1, 1], [0, 1]], [[0, 0], [1, 0]]], dtype=float)
    found = comparison(final, initial, np.array([0.75, 0.25]), ["a", "b"])
    # Differences: a (0.5, 0), b (-1, 1); weighted 0.75 a + 0.25 b: (0.125, 0.25).
    assert found == pytest.approx(
        {
            "test/a": 0.75,
            "test/a/initial": 0.5,
            "test/a/delta": 0.25,
            "test/a/delta_se": 0.25,
            "test/b": 0.5,
            "test/b/initial": 0.5,
            "test/b/delta": 0.0,
            "test/b/delta_se": 1.0,
            "test/score/delta": 0.1875,
            "test/score/delta_se": 0.0625,
        }
    )


def test_numbers_of_samples_may_differ() -> None:
    found = comparison(np.ones((3, 4, 1)), np.zeros((3, 2, 1)), np.ones(1), ["a"])
    assert found["test/a/delta"] == 1.0
    assert found["test/a/delta_se"] == 0.0


def test_one_problem_has_no_standard_error() -> None:
    found = comparison(np.ones((1, 2, 1)), np.zeros((1, 2, 1)), np.ones(1), ["a"])
    assert math.isnan(found["test/a/delta_se"])


def test_completions_at_the_limit_are_flagged_on_the_board(
    trained: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that runs on to the limit and earns nothing, from its cell to the table."""
    limit = trained.study.file.sampling.max_tokens

    def endless(folder: Any, problems: Any, sampling: Any, plan: Any) -> Completions:
        count = len(problems) * plan.samples
        return Completions(problems, [[1] * limit] * count, ["and"] * count)

    monkeypatch.setattr(evaluation_stage, "generate", endless)
    evaluate(trained)
    uri = tracking_uri(trained.study.layout.root)
    table = collect(uri, STUDY, expected_cells(trained.study))
    assert set(table.cells["final"]) == {0.0}
    assert set(table.cells["max_tokens"]) == {float(limit)}
    assert table.cells["collapsed"].all()
    assert table.cells["collapsed_in_run"].all()
    assert overall.compare(table.cells).table["verdict"].tolist() == ["collapsed"]
