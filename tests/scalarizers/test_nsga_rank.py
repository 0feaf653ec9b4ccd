import math

import pytest
import torch

from benchmark.scalarizers import NSGARank

UNUSED = torch.full((5, 2), math.nan)
GROUPS = torch.tensor([0, 0, 0, 0, 0])
# Rank 1: (3, 0), (0, 2) and (2, 1.5). Rank 2: (1, 1). Rank 3: (0, 1).
REWARDS = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0], [2.0, 1.5], [0.0, 1.0]])


def centred(values: list[float]) -> list[float]:
    return [value - sum(values) / len(values) for value in values]


def test_ranks_decide_and_the_weighted_sum_within_a_rank() -> None:
    # Sums of rank 1 are 1.5, 1 and 1.75: places 2/3, 0 and 1; a rank of one is in the middle.
    combined = NSGARank(["a", "b"], beta=0.6).combine(UNUSED, REWARDS, GROUPS)
    expected = centred([3 + 0.6 / 6, 3 - 0.3, 2, 3 + 0.3, 1])
    assert combined.tolist() == pytest.approx(expected, abs=1e-6)


def test_without_the_sum_a_rank_shares_one_advantage() -> None:
    combined = NSGARank(["a", "b"], beta=0).combine(UNUSED, REWARDS, GROUPS)
    assert combined.tolist() == pytest.approx(centred([3, 3, 2, 3, 1]))


@pytest.mark.parametrize("beta", [0, 0.5, 1])
def test_no_completion_passes_one_of_a_better_rank(beta: float) -> None:
    rewards = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, -0.1], [-9.0, 0.9]])
    combined = NSGARank(["a", "b"], beta=beta).combine(UNUSED[:4], rewards, GROUPS[:4])
    assert combined[:2].min() >= combined[2:].max()


def test_equal_completions_share_rank_and_advantage() -> None:
    rewards = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    combined = NSGARank(["a", "b"]).combine(UNUSED[:3], rewards, GROUPS[:3])
    assert combined.tolist() == pytest.approx([1 / 3, 1 / 3, -2 / 3])


def test_objective_of_weight_0_is_not_compared() -> None:
    combined = NSGARank(["a", "b"], [1, 0], beta=1).combine(UNUSED, REWARDS, GROUPS)
    assert combined.tolist() == pytest.approx(centred([4, 1, 2, 3, 1]), abs=1e-6)


def test_prompts_are_ranked_apart_and_missing_rewards_count_as_means() -> None:
    # Prompt 1: b is missing twice, and 1/2 stands for it: the first dominates the second alone.
    rewards = torch.tensor([[1.0, math.nan], [0.0, math.nan], [0.5, 0.5], [math.nan, math.nan]])
    groups = torch.tensor([1, 1, 1, 1])
    combined = NSGARank(["a", "b"], beta=0).combine(UNUSED[:4], rewards, groups)
    assert combined.tolist() == pytest.approx([1, -1, 0, 0])
    apart = NSGARank(["a", "b"], beta=0).combine(UNUSED, REWARDS, torch.tensor([0, 1, 2, 0, 0]))
    assert apart.tolist() == pytest.approx([1 / 3, 0, 0, 1 / 3, -2 / 3])
