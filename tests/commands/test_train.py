"""``crosstalk train``: a cell is trained once, tracked, and picked up where it was interrupted."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from projects import SETTINGS, STUDY, Project, merged
from safetensors.torch import load_file, save_file
from tracked import tracked_runs
from transformers import PreTrainedModel
from trl import GRPOTrainer

from benchmark.commands import train as stage
from benchmark.commands.evaluate import evaluate
from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.curves import CurveTracker
from benchmark.commands.jobs.records import Trained
from benchmark.commands.train import train
from benchmark.common.errors import CrosstalkError, Diverged
from benchmark.common.paths import relative
from benchmark.models.policy import answers
from benchmark.models.policy.loading import load_policy
from benchmark.objectives import Clarity
from benchmark.study import Cell, load_study
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.reading import run_curves
from benchmark.tracking.run import CellRun

pytestmark = pytest.mark.slow  # real trainings

TUNED = {
    "study": STUDY,
    "file": f"workflow/studies/{STUDY}.yaml",
    "trials": "0" * 16,
    "criterion": "worst_gain",
    "split": "validation",
    "problems": 6,
    "models": ["tiny"],
    "objective_sets": ["math3"],
    "seeds": [1],
    "algorithms": {},
    "references": {"runs": 0, "steps": 0, "tokens": 0, "backward_passes": 0, "hours": 0},
}


class Killed(BaseException):
    """Stands for the end of the process."""


def runs(project: Project) -> pd.DataFrame:
    return tracked_runs(tracking_uri(project.root), STUDY)


def statuses(project: Project) -> list[str]:
    frame = runs(project)
    return list(frame["tags.status"]) if len(frame) else []


def curves(project: Project, run_id: str) -> dict[tuple[str, int], float]:
    """Return what a run tracked by name and step, without what is measured on a clock."""
    frame = run_curves(tracking_uri(project.root), [run_id], "")
    frame = frame[~frame.metric.str.startswith(("time/", "memory/"))]
    return dict(zip(zip(frame.metric, frame.step, strict=True), frame.value, strict=True))


def record(cell: Cell) -> dict[str, str]:
    return json.loads((cell.folder / Trained.FILE).read_text())


def weights(cell: Cell) -> dict[str, Any]:
    return load_file(cell.folder / record(cell)["checkpoint"] / "model.safetensors")


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(first[k].equal(second[k]) for k in first)


def killed_when(
    monkeypatch: pytest.MonkeyPatch, cell: Cell, owner: Any, name: str, after: int = 0
) -> None:
    """Train the cell until ``owner.name`` is called once more than ``after`` times."""
    original, calls = getattr(owner, name), []

    def die(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) > after:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(Killed):
            train(cell)


def test_a_trained_cell_leaves_a_record(
    tracked_project: Project,
) -> None:
    cell = tracked_project.cell("ctwa")
    train(cell)
    (run,) = runs(tracked_project).to_dict("records")
    assert record(cell) == {
        "hash": cell.training_hash,
        "run_id": run["run_id"],
        "checkpoint": "checkpoints/checkpoint-3",
    }
    last = cell.folder / "checkpoints" / "checkpoint-3"
    checkpoints.verify(last)
    assert run["tags.status"] == "trained"
    assert not (last / "optimizer.pt").exists()  # nothing goes on from the last policy
    assert run["tags.cell"] == "tiny/math3/ctwa/seed0"
    assert run["tags.cell_hash"] == cell.hash
    assert run["params.objectives.names"] == '["accuracy", "conciseness", "clarity"]'
    assert sum(json.loads(run["params.objectives.weights"])) == pytest.approx(1.0)
    assert run["params.training.steps"] == "3"
    assert run["params.algorithm.scalarizer"] == "ctwa"
    assert run["metrics.memory/peak_mb"] > 100


def test_a_trained_cell_is_not_trained_again(
    project: Project, trained: Cell, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "benchmark")
    before = record(trained)
    train(trained)
    assert record(trained) == before
    assert statuses(project) == ["trained"]
    assert caplog.messages[-1] == "tiny/math3/linear/seed0: already trained"


@pytest.mark.parametrize("whole", [True, False])
def test_what_tuning_left_as_it_was_is_not_trained_again(
    project: Project, trained: Cell, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    file = project.root / "workflow" / "studies" / "lab-tuned.yaml"
    file.write_text(yaml.safe_dump(merged(SETTINGS, {"tuned": TUNED})))
    tuned = load_study("lab-tuned", project.root).cells[0]
    calls = []
    monkeypatch.setattr(GRPOTrainer, "train", lambda *args, **kwargs: calls.append(1))
    if not whole:
        (trained.folder / record(trained)["checkpoint"] / "model.safetensors").unlink()
        with pytest.raises(CrosstalkError, match="training ended without a checkpoint"):
            train(tuned)  # it begins at its start
    else:
        train(tuned)
        assert same(weights(tuned), weights(trained))
        ids = [record(each)["run_id"] for each in (trained, tuned)]
        assert ids[0] != ids[1]
        assert curves(project, ids[0]) == curves(project, ids[1])
    assert calls == [1] * (not whole)


def test_a_changed_cell_is_trained_anew(project: Project, trained: Cell) -> None:
    changed = project.cell(training={"learning_rate": 1e-3, "steps": 2})
    assert changed.id == trained.id
    train(changed)
    assert record(changed)["hash"] == changed.training_hash
    assert record(changed)["checkpoint"] == "checkpoints/checkpoint-2"
    assert [path.name for path in (changed.folder / "checkpoints").glob("check*")] == [
        "checkpoint-2"
    ]
    assert statuses(project) == ["trained", "trained"]


def test_a_users_table_trains_the_same_way(project: Project, trained: Cell) -> None:
    before = weights(trained)
    (project.root / "mine").mkdir()
    for split, size in {"train": 8, "validation": 4, "test": 6}.items():
        rows = [
            json.dumps({"prompt": p.prompt, "answer": p.answer})
            for p in trained.study.task.split(split, size)  # type: ignore[arg-type]
        ]
        (project.root / "mine" / f"{split}.jsonl").write_text("\n".join(rows))
    read = project.cell(task={"name": "table", "path": "mine"})
    assert read.training_hash != trained.training_hash
    train(read)
    assert same(weights(read), before)


def test_training_closes_the_process_group(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*args: Any, **kwargs: Any) -> None:  # as the engine of vLLM does, on its way
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)

    monkeypatch.setattr(CurveTracker, "on_train_end", opened)
    train(tracked_project.cell())
    assert not torch.distributed.is_initialized()


def test_a_killed_cell_resumes_to_the_same_result(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {"steps": 5, "checkpoint_every": 2, "validate_every": 3}
    cell = tracked_project.cell("ctwa", training=training)
    train(cell)
    whole, whole_curves = weights(cell), curves(tracked_project, record(cell)["run_id"])
    shutil.rmtree(cell.folder)

    killed_when(monkeypatch, cell, checkpoints, "seal", after=1)
    assert not (cell.folder / Trained.FILE).exists()
    started = (cell.folder / "checkpoints" / "checkpoint-2").stat().st_mtime_ns
    assert (cell.folder / "checkpoints" / "checkpoint-2" / "optimizer.pt").exists()
    train(cell)
    assert (cell.folder / "checkpoints" / "checkpoint-4").stat().st_mtime_ns > started
    assert same(weights(cell), whole)
    assert curves(tracked_project, record(cell)["run_id"]) == whole_curves
    assert statuses(tracked_project) == ["superseded", "superseded", "trained"]


def test_a_finished_cell_trains_no_further(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = tracked_project.cell("ctwa")
    killed_when(monkeypatch, cell, CellRun, "end")
    last = cell.folder / "checkpoints" / "checkpoint-3" / "model.safetensors"
    before = load_file(last)
    train(cell)
    assert record(cell)["checkpoint"] == "checkpoints/checkpoint-3"
    assert same(weights(cell), before)
    tracked = curves(tracked_project, record(cell)["run_id"])
    assert {step for name, step in tracked if name == "train/score"} == {1, 2, 3}
    assert {step for name, step in tracked if name == "validation/clarity"} == {0, 2, 3}


# ---- what can go wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        (lambda self, **_: 1 / 0, "objective 'clarity' raised ZeroDivisionError: division by zero"),
        (lambda self, **_: None, "objective 'clarity' raised TypeError: 'NoneType' object is not"),
        (
            lambda self, **_: [0.0],
            "objective 'clarity': expected 8 rewards, one per completion, got 1",
        ),
        (
            lambda self, completions, **_: [float("inf")] * len(completions),
            "objective 'clarity': completion 0: expected a finite number, or None or NaN where",
        ),
    ],
    ids=["raises", "None", "wrong length", "infinite"],
)
def test_failing_objectives_fail_the_run(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch, rewards: Any, message: str
) -> None:
    cell = tracked_project.cell()
    monkeypatch.setattr(Clarity, "rewards", rewards)
    with pytest.raises(CrosstalkError) as caught:
        train(cell)
    assert str(caught.value).startswith(f"{cell.id}: {message}")
    assert "\n" not in str(caught.value)
    assert statuses(tracked_project) == ["failed"]
    assert not (cell.folder / Trained.FILE).exists()


def test_another_try_supersedes_a_failed_one(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = tracked_project.cell()
    with monkeypatch.context() as patch:
        patch.setattr(Clarity, "rewards", lambda self, **_: [])
        with pytest.raises(CrosstalkError):
            train(cell)
    train(cell)
    first, second = runs(tracked_project).to_dict("records")
    assert (first["tags.status"], second["tags.status"]) == ("superseded", "trained")
    assert first["tags.superseded_by"] == second["run_id"] == record(cell)["run_id"]
    assert second["tags.attempt"] == "2"


def test_a_full_disk_is_told_before_anything_starts(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = tracked_project.cell()
    nearly_full = SimpleNamespace(total=2**40, used=2**40 - 2**20, free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly_full)
    with pytest.raises(CrosstalkError) as caught:
        train(cell)
    assert str(caught.value) == (
        "results/runs/lab/tiny/math3/linear/seed0: the cell's checkpoints need "
        f"{needed_mb(tracked_project):.0f} MB, but its disk has 1 MB free"
    )
    assert statuses(tracked_project) == []


def needed_mb(project: Project) -> float:
    return (9 * (project.model / "model.safetensors").stat().st_size + stage.SPARE_BYTES) / 2**20


def test_a_corrupt_checkpoint_is_told_and_left_alone(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = tracked_project.cell()
    killed_when(monkeypatch, cell, CellRun, "end")
    file = cell.folder / "checkpoints" / "checkpoint-3" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CrosstalkError, match=r"model\.safetensors: differs from its manifest: "):
        train(cell)
    assert file.read_bytes() == content
    assert statuses(tracked_project)[-1] == "failed"


def test_a_missing_store_stops_training(project: Project) -> None:
    cell = project.cell()
    with pytest.raises(CrosstalkError, match=r"results/mlflow\.db: there is none yet"):
        train(cell)
    assert not (cell.folder / "checkpoints").exists()


def test_training_locks_the_cell(tracked_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = tracked_project.cell()
    held: list[Path] = []
    original = stage.exclusive

    def watched(path: Path, doing: str) -> Any:
        held.append(path)
        return original(path, doing)

    monkeypatch.setattr(stage, "exclusive", watched)
    train(cell)
    assert held[0] == cell.folder / ".lock"


# ---- a policy that diverges ----------------------------------------------------------------------


def spoil(folder: Path) -> None:
    """Make one weight of the first layer a NaN."""
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in sorted(tensors) if name.endswith("q_proj.weight"))
    tensors[name][0, 0] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_policy_of_nans_is_a_failed_cell(tracked_project: Project) -> None:
    spoil(tracked_project.root / "model")
    cell = tracked_project.cell()
    expected = "diverged: after 0 of 3 updates: the policy's logits are not finite"
    with pytest.raises(Diverged) as caught:
        train(cell)
    assert str(caught.value) == f"{cell.id}: {expected}"
    (run,) = runs(tracked_project).to_dict("records")
    assert (run["tags.status"], run["tags.diverged"]) == ("failed", expected)
    assert not (cell.folder / Trained.FILE).exists()


@pytest.mark.parametrize("algorithm", ["linear", "mgda"])
def test_a_step_too_far_says_how_many_weights(tracked_project: Project, algorithm: str) -> None:
    cell = tracked_project.cell(algorithm, training={"learning_rate": 1e39})
    what = r"after 0 of 3 updates: [\d,]+ of 91,648 trained weights are not finite"
    with pytest.raises(Diverged) as caught:
        train(cell)
    assert re.fullmatch(f"{cell.id}: diverged: {what}", str(caught.value))
    assert " 0 of" not in str(caught.value).partition("updates")[2]
    assert statuses(tracked_project) == ["failed"]


@pytest.mark.parametrize("algorithm", ["linear", "mgda"])
def test_a_loss_of_nan_says_so(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    compute_loss = GRPOTrainer.compute_loss

    def overflow(self: GRPOTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = compute_loss(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 1 else loss

    monkeypatch.setattr(GRPOTrainer, "compute_loss", overflow)
    cell = tracked_project.cell(algorithm)
    with pytest.raises(Diverged, match="diverged: after 1 of 3 updates: the loss is nan") as caught:
        train(cell)
    assert str(caught.value).startswith(f"{cell.id}: ")
    assert statuses(tracked_project) == ["failed"]


def test_a_diverged_policy_is_not_evaluated(
    project: Project, trained: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_spoilt(folder: Path, dtype: str) -> PreTrainedModel:
        policy = load_policy(folder, dtype)
        policy.get_output_embeddings().weight.data[0, 0] = float("nan")
        return policy

    monkeypatch.setattr(answers, "load_policy", load_spoilt)
    with pytest.raises(Diverged) as caught:
        evaluate(trained)
    checkpoint = relative(trained.folder / record(trained)["checkpoint"])
    expected = f"diverged: {checkpoint}: the policy's logits are not finite"
    assert str(caught.value) == f"{trained.id}: {expected}"
    (run,) = runs(project).to_dict("records")
    assert (run["tags.status"], run["tags.diverged"]) == ("failed", expected)
