"""Evaluation draws the same completions every time, scores them, and compares with the start."""

import math
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.commands.evaluate import comparison
from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.answers import Completions, generate, generation_config
from benchmark.models.policy.loading import load_tokenizer
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.objectives import Accuracy, Clarity, Conciseness
from benchmark.objectives.scoring import score, to_frame
from benchmark.tasks import Problem, make_task

PROBLEMS = [Problem("p0", "What is 1 + 1 ?", "2"), Problem("p1", "What is 2 + 1 ?", "3")]
# Two completions of each problem.
COMPLETIONS = Completions(
    PROBLEMS,
    ids=[[5, 6, 7], [5], [5, 6], [5, 6, 7, 8]],
    texts=[r"\boxed{2}", "2", r"Step 1 : 2 Step 2 : 3 \boxed{ 3 }", r"\boxed{2}"],
)


def drawn(folder: Path, samples: int = 2, seed: int = 3, batch_size: int = 256) -> Completions:
    problems = make_task("arithmetic").split("test", 5)
    plan = Evaluation(samples=samples, seed=seed, batch_size=batch_size)
    return generate(folder, problems, Sampling(max_tokens=12), plan)


# ---- drawing -------------------------------------------------------------------------------------


def test_a_policy_gives_the_same_completions_every_time(tiny_model: Path) -> None:
    first = drawn(tiny_model)
    torch.rand(3)
    second = drawn(tiny_model)
    assert first.ids == second.ids
    assert first.texts == second.texts


def test_another_seed_gives_other_completions(tiny_model: Path) -> None:
    assert drawn(tiny_model).ids != drawn(tiny_model, seed=4).ids


def test_samples_of_a_problem_differ_and_end_at_the_end_token(tiny_model: Path) -> None:
    completions = drawn(tiny_model, samples=4)
    end = load_tokenizer(tiny_model).eos_token_id
    assert completions.samples == 4
    assert completions.tokens.shape == (5, 4)
    assert len({tuple(ids) for ids in completions.ids}) > 5
    for ids in completions.ids:
        assert end not in ids[:-1]
        assert ids[-1] == end or len(ids) == 12
    assert any(ids[-1] == end for ids in completions.ids)


def test_drawing_leaves_the_random_streams_untouched(tiny_model: Path) -> None:
    torch.manual_seed(1)
    random.seed(1)
    expected = torch.rand(1).item(), random.random()
    torch.manual_seed(1)
    random.seed(1)
    drawn(tiny_model)
    assert (torch.rand(1).item(), random.random()) == expected


def test_batches_cover_all_prompts(tiny_model: Path) -> None:
    completions = drawn(tiny_model, samples=2, batch_size=3)
    assert len(completions.ids) == len(completions.texts) == 10


def test_sampling_is_spelled_out(tiny_model: Path) -> None:
    config = generation_config(
        load_tokenizer(tiny_model), Sampling(temperature=0.5, top_p=0.9, max_tokens=7)
    )
    assert (config.temperature, config.top_p, config.top_k) == (0.5, 0.9, 0)
    assert (config.do_sample, config.max_new_tokens) == (True, 7)


# ---- scoring -------------------------------------------------------------------------------------


def test_rewards_are_laid_out_by_problem_sample_and_objective() -> None:
    rewards = score(COMPLETIONS, [Accuracy(), Conciseness(3.0), Clarity()])
    assert rewards.shape == (2, 2, 3)
    assert rewards[:, :, 0].tolist() == [[1, 0], [1, 0]]
    assert rewards[:, :, 1].tolist() == [[0, 1], [1, 0]]
    assert rewards[:, :, 2].tolist() == [[0, 0], [1, 0]]


def test_an_objective_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clarity, "rewards", lambda self, **columns: [None] * 4)
    with pytest.raises(
        CrosstalkError, match=r"'clarity': expected a finite .* completion 0, got None"
    ):
        score(COMPLETIONS, [Clarity()])


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


# ---- comparing -----------------------------------------------------------------------------------


def test_the_comparison_is_the_paired_difference_over_problems() -> None:
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


def test_policies_may_be_compared_with_different_numbers_of_samples() -> None:
    found = comparison(np.ones((3, 4, 1)), np.zeros((3, 2, 1)), np.ones(1), ["a"])
    assert found["test/a/delta"] == 1.0
    assert found["test/a/delta_se"] == 0.0


def test_one_problem_has_no_standard_error() -> None:
    found = comparison(np.ones((1, 2, 1)), np.zeros((1, 2, 1)), np.ones(1), ["a"])
    assert math.isnan(found["test/a/delta_se"])
