import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import RVPO

UNUSED = torch.full((4, 2), math.nan)
GROUPS = torch.tensor([0, 1, 0, 1])
Z = 0.5 / (math.sqrt(0.5) + 1e-4)  # of two completions whose rewards differ by 1
# z-scores (Z, -Z), (Z, Z), (-Z, Z), (-Z, -Z).
REWARDS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_advantage_is_the_soft_minimum_of_zscores(k: float) -> None:
    combined = RVPO(["a", "b"], k=k, normalize=False).combine(UNUSED, REWARDS, GROUPS)
    uneven = -math.log(math.cosh(k * Z)) / k
    assert combined.tolist() == pytest.approx([uneven, Z, uneven, -Z])


def test_k_leads_from_the_mean_to_the_minimum() -> None:
    mean = RVPO(["a", "b"], k=1e-6, normalize=False).combine(UNUSED, REWARDS, GROUPS)
    assert mean.tolist() == pytest.approx([0, Z, 0, -Z], abs=1e-5)
    minimum = RVPO(["a", "b"], k=1e4, normalize=False).combine(UNUSED, REWARDS, GROUPS)
    assert minimum.tolist() == pytest.approx([-Z, Z, -Z, -Z], abs=1e-4)


def test_advantages_are_white_by_default() -> None:
    combined = RVPO(["a", "b"]).combine(UNUSED, REWARDS, GROUPS)
    assert combined.mean().item() == pytest.approx(0, abs=1e-6)
    assert combined.std().item() == pytest.approx(1, abs=1e-3)
    assert combined[1] > combined[0] > combined[3]


def test_inapplicable_objective_is_left_out_of_the_mean() -> None:
    rewards = torch.tensor([[1.0, math.nan], [1.0, 1.0], [0.0, math.nan], [math.nan, math.nan]])
    combined = RVPO(["a", "b"], normalize=False).combine(UNUSED, rewards, GROUPS)
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


def test_the_aversion_moves_from_k_to_k_end() -> None:
    moving = RVPO(["a", "b"], k=0.5, k_end=2.0, total_steps=4)
    for k in (0.5, 1.0, 1.5, 2.0, 2.0):
        expected = RVPO(["a", "b"], k=k).combine(UNUSED, REWARDS, GROUPS)
        found = moving.combine(UNUSED, REWARDS, GROUPS)
        assert found.tolist() == pytest.approx(expected.tolist())


def test_a_restored_aversion_goes_on_where_it_was() -> None:
    moving, restored = (RVPO(["a", "b"], k_end=3.0, total_steps=3) for _ in range(2))
    moving.combine(UNUSED, REWARDS, GROUPS)
    restored.load_state_dict(moving.state_dict())
    expected = RVPO(["a", "b"], k=2.0).combine(UNUSED, REWARDS, GROUPS)
    assert restored.combine(UNUSED, REWARDS, GROUPS).tolist() == expected.tolist()


def test_a_move_of_unknown_length_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="total_steps: expected the number of batches"):
        RVPO(["a", "b"], k_end=2.0)


def test_one_step_is_not_long_enough_to_move() -> None:
    still = RVPO(["a", "b"], k_end=3.0, total_steps=1)
    expected = RVPO(["a", "b"]).combine(UNUSED, REWARDS, GROUPS)
    assert still.combine(UNUSED, REWARDS, GROUPS).tolist() == expected.tolist()
