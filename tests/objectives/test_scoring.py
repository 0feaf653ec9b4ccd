"""Completions are scored by objective, and the rewards kept as a table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.commands.jobs.comparison import comparison
from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.answers import Completions
from benchmark.objectives import Accuracy, Clarity, Conciseness
from benchmark.objectives.scoring import score, score_everywhere, to_frame
from benchmark.tasks import Problem

PROBLEMS = [Problem("p0", "What is 1 + 1 ?", "2"), Problem("p1", "What is 2 + 1 ?", "3")]
# Two completions of each problem.
COMPLETIONS = Completions(
    PROBLEMS,
    ids=[[5, 6, 7], [5], [5, 6], [5, 6, 7, 8]],
    texts=[r"\boxed{2}", "2", r"Step 1 : 2 Step 2 : 3 \boxed{ 3 }", r"\boxed{2}"],
)


def test_rewards_by_problem_sample_and_objective() -> None:
    rewards = score(COMPLETIONS, [Accuracy(), Conciseness(3.0), Clarity()])
    assert rewards.shape == (2, 2, 3)
    assert rewards[:, :, 0].tolist() == [[1, 0], [1, 0]]
    assert rewards[:, :, 1].tolist() == [[0, 1], [1, 0]]
    assert rewards[:, :, 2].tolist() == [[0, 0], [1, 0]]


def test_an_objective_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clarity, "rewards", lambda self, **columns: ["x"] * 4)
    with pytest.raises(
        CrosstalkError, match=r"'clarity': completion 0: expected a finite .* got 'x'"
    ):
        score(COMPLETIONS, [Clarity()])


def test_what_does_not_apply_stays_out_of_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clarity, "rewards", lambda self, **columns: [None, 1.0, 0.0, 1.0])
    final = score(COMPLETIONS, [Clarity()])
    assert np.isnan(final[0, 0, 0])
    initial = np.array([[[0.0], [0.0]], [[np.nan], [np.nan]]])
    found = comparison(final, initial, np.array([1.0]), ["clarity"])
    assert found["test/clarity"] == 0.75  # of problems whose means are 1 and 0.5
    assert found["test/clarity/initial"] == 0.0
    assert found["test/clarity/delta"] == found["test/score/delta"] == 1.0  # of the first alone


def test_an_objective_that_never_applies_has_no_result() -> None:
    rewards = np.full((2, 2, 1), np.nan)
    with pytest.raises(CrosstalkError, match="'clarity': expected to apply to some test problem"):
        comparison(rewards, rewards, np.array([1.0]), ["clarity"])


def test_a_diagnosis_needs_every_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clarity, "rewards", lambda self, **columns: [None, 1.0, 0.0, 1.0])
    with pytest.raises(CrosstalkError, match=r"'clarity': expected to apply to every .* 1 of 4"):
        score_everywhere(COMPLETIONS, [Clarity()])


def test_the_table_has_a_row_a_completion() -> None:
    rewards = np.arange(8.0).reshape(2, 2, 2)
    frame = to_frame(COMPLETIONS, rewards, ["accuracy", "clarity"])
    assert frame.to_dict("list") == {
        "problem": ["p0", "p0", "p1", "p1"],
        "sample": [0, 1, 0, 1],
        "prompt": [p.prompt for p in PROBLEMS for _ in range(2)],
        "answer": ["2", "2", "3", "3"],
        "completion": COMPLETIONS.texts,
        "tokens": [3, 1, 2, 4],
        "reward/accuracy": [0.0, 2.0, 4.0, 6.0],
        "reward/clarity": [1.0, 3.0, 5.0, 7.0],
    }


def test_the_table_survives_a_file(tmp_path: Path) -> None:
    frame = to_frame(COMPLETIONS, np.ones((2, 2, 1)), ["accuracy"])
    frame.to_parquet(tmp_path / "table.parquet", index=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), frame)
