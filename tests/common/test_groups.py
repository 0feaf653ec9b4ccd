"""Completions are laid out by prompt, and their statistics taken within prompts."""

import math

import pytest
import torch

from benchmark.advantages import estimate_advantages
from benchmark.common.groups import ByPrompt, group_totals, group_zscores, whiten

GROUPS = torch.tensor([7, 3, 7, 3, 5])


def test_totals_are_those_of_each_completions_prompt() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert group_totals(values, GROUPS).tolist() == [4.0, 6.0, 4.0, 6.0, 5.0]


def test_a_table_has_a_row_per_prompt() -> None:
    by_prompt = ByPrompt(GROUPS)  # prompts 3, 5 and 7
    assert by_prompt.sizes.tolist() == [2, 1, 2]
    assert by_prompt.prompt.tolist() == [2, 0, 2, 0, 1]
    assert by_prompt.place.tolist() == [0, 0, 1, 1, 0]
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert by_prompt.table(values, beyond=-1.0).tolist() == [[2, 4], [5, -1], [1, 3]]
    assert by_prompt.table(values)[1, 1].isnan()
    assert by_prompt.sums(torch.stack([values, -values], dim=1)).tolist() == [
        [6, -6], [5, -5], [4, -4],
    ]  # fmt: skip
    nothing = ByPrompt(GROUPS[:0])
    assert nothing.table(values[:0]).shape == (0, 0)


def test_zscores_by_hand() -> None:
    zscores, deviations = group_zscores(torch.tensor([[1.0], [8.0], [3.0], [8.0], [9.0]]), GROUPS)
    # Prompt 7: mean 2, deviation sqrt(2). Prompt 3 is constant, prompt 5 has one completion.
    root = math.sqrt(2)
    assert deviations[:, 0].tolist() == pytest.approx([root, 0, root, 0, 0])
    expected = 1 / (root + 1e-4)
    assert zscores[:, 0].tolist() == pytest.approx([-expected, 0, expected, 0, 0])


def test_zscores_are_the_grpo_advantages() -> None:
    generator = torch.Generator().manual_seed(0)
    groups = torch.randint(4, (40,), generator=generator)
    rewards = torch.rand(40, 3, generator=generator, dtype=torch.float64)
    rewards[::7, 1] = math.nan
    zscores, _ = group_zscores(rewards, groups)
    torch.testing.assert_close(zscores, estimate_advantages(rewards, groups, "grpo"))


def test_inapplicable_rewards_have_no_zscore() -> None:
    rewards = torch.tensor([[1.0], [2.0], [math.nan], [4.0], [math.nan]])
    zscores, _ = group_zscores(rewards, GROUPS)
    expected = 1 / (math.sqrt(2) + 1e-4)
    assert zscores[:, 0].tolist() == pytest.approx([0, -expected, 0, expected, 0])


def test_equal_rewards_have_zscore_zero() -> None:
    zscores, _ = group_zscores(torch.full((7, 1), 0.1), torch.zeros(7))
    assert zscores.abs().max() < 1e-10


def test_whitening_leaves_out_the_absent() -> None:
    present = torch.tensor([True, True, False, True])
    whitened = whiten(torch.tensor([1.0, 2.0, 100.0, 3.0]), present)
    assert whitened.tolist() == pytest.approx([-1 / 1.0001, 0, 0, 1 / 1.0001])
    assert whiten(torch.tensor([4.0, 5.0]), torch.tensor([True, False])).tolist() == [0.0, 0.0]
