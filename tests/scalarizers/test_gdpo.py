import math

import pytest
import torch

from benchmark.scalarizers import GDPO

UNUSED = torch.full((4, 2), math.nan)
GROUPS = torch.tensor([0, 1, 0, 1])


def test_weighted_zscores_are_whitened_over_the_batch() -> None:
    # Prompt 0: z-scores +-z under a and -+z under b, z = sqrt(1/2): sums (1/4 - 3/4) z = -+z/2.
    # Prompt 1: +-z under a alone: +-z/4. The batch: mean 0, deviation z sqrt((2/4 + 2/16) / 3).
    rewards = torch.tensor([[1.0, 0.0], [9.0, 5.0], [0.0, 0.5], [5.0, 5.0]])
    combined = GDPO(["a", "b"], [1, 3]).combine(UNUSED, rewards, GROUPS)
    deviation = math.sqrt((2 / 4 + 2 / 16) / 3)
    expected = [part / deviation for part in (-1 / 2, 1 / 4, 1 / 2, -1 / 4)]
    assert combined.tolist() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_advantages_equal_trls_normalise_then_sum(missing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    rewards = torch.rand(24, 3, generator=generator, dtype=torch.float64)
    rewards[torch.rand(24, 3, generator=generator) < missing] = math.nan
    gdpo = GDPO(["a", "b", "c"], [1, 2, 3])
    combined = gdpo.combine(torch.zeros_like(rewards), rewards, torch.arange(24) // 4)
    # TRL 1.16, multi_objective_aggregation="normalize_then_sum".
    grouped = rewards.view(-1, 4, 3)
    mean = grouped.nanmean(dim=1, keepdim=True)
    count = (~grouped.isnan()).sum(dim=1, keepdim=True)
    std = ((grouped - mean) ** 2).nanmean(dim=1, keepdim=True)
    std = torch.sqrt(std * count / (count - 1))
    total = (((grouped - mean) / (std + 1e-4)).view(-1, 3) * gdpo.weights).nansum(dim=1)
    total[rewards.isnan().all(dim=1)] = math.nan
    kept = total[~total.isnan()]
    expected = ((total - kept.mean()) / (kept.std() + 1e-4)).nan_to_num(nan=0.0)
    torch.testing.assert_close(combined, expected)


def test_equal_rewards_give_no_advantage_made_of_rounding() -> None:
    combined = GDPO(["a", "b"]).combine(UNUSED, torch.full((4, 2), 0.1), GROUPS)
    assert combined.abs().max() < 1e-6


def test_lone_completion_has_no_advantage() -> None:
    rewards = torch.tensor([[1.0, 0.0], [0.3, 0.9], [0.0, 0.5], [math.nan, math.nan]])
    combined = GDPO(["a", "b"], [1, 3]).combine(UNUSED, rewards, GROUPS)
    assert combined[[1, 3]].abs().max() < 1e-6
    assert combined[2] > 0.5
