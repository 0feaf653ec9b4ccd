import math

import pytest
import torch

from benchmark.scalarizers import RVPO

UNUSED = torch.full((4, 2), math.nan)
GROUPS = torch.tensor([0, 1, 0, 1])
Z = 0.5 / (math.sqrt(0.5) + 1e-4)  # of two completions whose rewards differ by 1
# z-scores (Z, -Z), (Z, Z), (-Z, Z), (-Z, -Z).
REWARDS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_advantage_is_the_soft_minimum_of_zscores(k: float) -> None:
    combined = RVPO(["a", "b"], k=k).combine(UNUSED, REWARDS, GROUPS)
    uneven = -math.log(math.cosh(k * Z)) / k
    assert combined.tolist() == pytest.approx([uneven, Z, uneven, -Z])


def test_k_leads_from_the_mean_to_the_minimum() -> None:
    mean = RVPO(["a", "b"], k=1e-6).combine(UNUSED, REWARDS, GROUPS)
    assert mean.tolist() == pytest.approx([0, Z, 0, -Z], abs=1e-5)
    minimum = RVPO(["a", "b"], k=1e4).combine(UNUSED, REWARDS, GROUPS)
    assert minimum.tolist() == pytest.approx([-Z, Z, -Z, -Z], abs=1e-4)


def test_normalised_advantages_are_white() -> None:
    combined = RVPO(["a", "b"], normalize=True).combine(UNUSED, REWARDS, GROUPS)
    assert combined.mean().item() == pytest.approx(0, abs=1e-6)
    assert combined.std().item() == pytest.approx(1, abs=1e-3)
    assert combined[1] > combined[0] > combined[3]


def test_inapplicable_objective_is_left_out_of_the_mean() -> None:
    rewards = torch.tensor([[1.0, math.nan], [1.0, 1.0], [0.0, math.nan], [math.nan, math.nan]])
    combined = RVPO(["a", "b"]).combine(UNUSED, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([Z, 0, -Z, 0])


def test_tracked_weights_are_the_mean_shares() -> None:
    rvpo = RVPO(["a", "b"], k=2.0)
    # Shares of a: e^-2Z to e^2Z and, in prompt 1 where only a varies, e^-2Z and e^2Z to 1.
    rewards = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    rvpo.combine(UNUSED, rewards, GROUPS)
    shares = [1 / (1 + math.exp(x)) for x in (4 * Z, -4 * Z, 2 * Z, -2 * Z)]
    assert rvpo.metrics()["weight/a"] == pytest.approx(sum(shares) / 4)
    # Lower scores of a alone: prompt 0 without b.
    rewards[[0, 2], 1] = math.nan
    rvpo.combine(UNUSED, rewards, GROUPS)
    assert rvpo.metrics()["weight/a"] == pytest.approx((2 + shares[2] + shares[3]) / 4)
