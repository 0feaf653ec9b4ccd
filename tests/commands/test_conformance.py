"""A scalarizer or an objective of somebody's that is at fault fails its cell, in one line."""

import sys
import time
from typing import Any

import pytest
from projects import Project
from tracked import tracked_runs

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.jobs.conformance import check_plugin
from benchmark.commands.train import train
from benchmark.common.errors import CrosstalkError
from benchmark.objectives import Clarity
from benchmark.tracking.address import tracking_uri

HEADER = """\
import sys
import torch
from benchmark.scalarizers import ScoreScalarizer


class Mine(ScoreScalarizer):
    def score(self, rewards):
"""
SOUND = """\
missing = rewards.isnan().all(dim=1)
return (rewards * self.weights).nansum(dim=1).masked_fill(missing, float("nan"))
"""
FAULTS = {
    "returns nothing": ("return None", "it gives None, which is no tensor"),
    "returns a list": ("return rewards.sum(dim=1).tolist()", "which is no tensor"),
    "returns a wrong shape": ("return rewards", r"\(18, 3\)"),
    "returns NaN": ("return rewards.sum(dim=1) * float('nan')", "it gives"),
    "raises": ("raise KeyError('weights')", "KeyError: 'weights'"),
    "exits": ("sys.exit(0)", "SystemExit: 0"),
    "changes its input": ("return rewards.nan_to_num_().sum(dim=1)", "it changed rewards"),
}


def cell_of(project: Project, monkeypatch: pytest.MonkeyPatch, body: str, name: str) -> Any:
    """Return the cell of a scalarizer with this body, in a module of its own."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    (project.root / f"{name}.py").write_text(HEADER + lines + "\n")
    monkeypatch.chdir(project.root)
    return project.cell("mine", {"scalarizer": f"{name}:Mine"})


def refused(project: Project, cell: Any) -> str:
    """Return what the training of a cell is refused with, its run having failed."""
    with pytest.raises(CrosstalkError) as caught:
        train(cell)
    (run,) = tracked_runs(tracking_uri(project.root), cell.study.name).to_dict("records")
    assert run["tags.status"] == "failed"
    assert not (cell.folder / "train.json").exists()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{cell.id}: ")
    return message.removeprefix(f"{cell.id}: ")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_scalarizer_is_refused_before_training(
    project: Project, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    body, reason = FAULTS[fault]
    name = "mine_" + fault.replace(" ", "_")
    cell = cell_of(project, monkeypatch, body, name)
    expected = f"(?s)^scalarizer {name}:Mine: property '.*' does not hold .*: .*{reason}"
    with pytest.raises(CrosstalkError, match=expected) as caught:
        check_plugin(cell)
    assert "\n" not in str(caught.value)


def test_what_a_scalarizer_tells_its_user_is_passed_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "from benchmark import CrosstalkError\nraise CrosstalkError('share: expected less')"
    cell = cell_of(project, monkeypatch, body, "mine_tells")
    with pytest.raises(CrosstalkError, match=r"^share: expected less$"):
        check_plugin(cell)


def test_a_sound_scalarizer_passes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    check_plugin(cell_of(project, monkeypatch, SOUND, "mine_sound"))
    check_plugin(project.cell("linear"))


@pytest.mark.slow
def test_a_fault_in_the_middle_of_training_fails_the_cell(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "if len(rewards) == 8: return None\n" + SOUND  # the size of a training batch
    cell = cell_of(tracked_project, monkeypatch, body, "mine_later")
    message = refused(tracked_project, cell)
    assert message.startswith("scalarizer mine_later:Mine.score: expected 8 finite numbers")
    assert message.endswith("got None")


def leave(self: Any, **columns: Any) -> Any:
    sys.exit(0)


def sleep(self: Any, **columns: Any) -> Any:
    time.sleep(60)


@pytest.mark.parametrize(
    ("act", "reason"),
    [(leave, " raised SystemExit: 0"), (sleep, ": expected an end within 0.2 s, got none")],
)
def test_an_objective_that_exits_or_never_ends_fails_the_cell(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch, act: Any, reason: str
) -> None:
    monkeypatch.setattr(Clarity, "rewards", act)
    cell = tracked_project.cell(objective_seconds=0.2)
    assert refused(tracked_project, cell) == f"objective 'clarity'{reason}"


def test_a_faulty_objective_is_named_with_the_baseline(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clarity, "rewards", leave)
    study = tracked_project.cell().study
    with pytest.raises(
        CrosstalkError, match=r"^tiny/math3/baseline: objective 'clarity' raised Sy"
    ):
        evaluate_initial(study, "tiny", "math3")


def test_no_hash_depends_on_the_time_limit(project: Project) -> None:
    hashes = {project.cell(objective_seconds=limit).hash for limit in (0.5, 60, None)}
    assert len(hashes) == 1
