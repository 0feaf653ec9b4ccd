"""A study of seconds is tuned, and runs with what was chosen: the real workflow, twice."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from called import Call
from forked import Crosstalk

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]

STUDY: dict[str, Any] = {
    "models": {"tiny": None},
    # Both of length, which the tests' model learns to cut in a few steps.
    "objectives": {"brief": {"objective": "length_penalty", "target": 2, "limit": 24}},
    "objective_sets": {"pair": {"objectives": ["brief", "conciseness"]}},
    "algorithms": {"linear": None, "single": {"objective": "each"}},
    "seeds": [0],
    "task": {"train": 16, "validation": 4, "test": 32},
    "sampling": {"max_tokens": 24},
    "evaluation": {"samples": 4},
    "training": {
        "steps": 8,
        "prompts_per_step": 4,
        "completions_per_prompt": 4,
        "learning_rate": 3.0e-3,
        "validate_every": 8,
        "checkpoint_every": 8,
    },
    "tuning": {"trials": 2, "seeds": [7], "problems": 24},
}


@pytest.fixture(scope="module")
def root(tiny_model: Path, crosstalk: Crosstalk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose study was tuned and then run."""
    root = tmp_path_factory.mktemp("tuned")
    shutil.copytree(tiny_model, root / "model")
    (root / "models.yaml").write_text("tiny: {path: model}\n")
    (root / "studies").mkdir()
    (root / "studies" / "lab.yaml").write_text(yaml.safe_dump(STUDY))
    for words in (("tune", "lab"), ("run", "lab-tuned")):
        status, output = crosstalk(root, *words)
        assert status == 0, output
    return root


def test_the_best_trial_is_what_the_tuned_study_trains(root: Path) -> None:
    trials = pd.read_csv(root / "results/boards/lab-trials/leaderboard.csv")
    gains = trials.set_index("algorithm")["worst_gain"][["linear", "linear.trial1"]]
    tuned = yaml.safe_load((root / "results/tuned/lab-tuned.yaml").read_text())
    record = tuned["tuned"]["algorithms"]["linear"]
    assert [each["worst_gain"] for each in record["trials"]] == pytest.approx(gains.tolist())
    assert record["chosen"] == gains.tolist().index(gains.max())
    assert (tuned["algorithms"]["linear"] is None) == (record["chosen"] == 0)
    assert tuned["seeds"] == [0]
    assert record["trials"][0]["spent"]["backward_passes"] == 8


def test_its_leaderboard_shows_what_was_tried(root: Path) -> None:
    board = root / "results/boards/lab-tuned"
    frame = pd.read_csv(board / "tuning.csv")
    assert frame["algorithm"].tolist() == ["linear", "linear", "all references"]
    assert frame["best_of"][1] == frame["worst_gain"][:2].max()
    assert "## Tuning" in (board / "leaderboard.md").read_text()
    assert 'id="tuning-table"' in (board / "index.html").read_text()
    assert "tab:tuning" in (board / "tables.tex").read_text()
    assert set(pd.read_csv(board / "cells.csv")["prompts"]) == {32}
    assert set(pd.read_csv(board.with_name("lab-trials") / "cells.csv")["prompts"]) == {24}


def test_the_table_is_made_again_from_the_runs(root: Path, call: Call) -> None:
    before = (root / "results/tuned/lab-tuned.yaml").read_bytes()
    status, output = call(root, "tune", "lab", "--table")
    assert status == 0, output
    assert "best of 2" in output
    assert (root / "results/tuned/lab-tuned.yaml").read_bytes() == before
