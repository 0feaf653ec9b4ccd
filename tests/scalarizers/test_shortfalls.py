import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers.shortfalls import nonnegative, shortfalls

REWARDS = torch.tensor([[1.0, 0.0, math.nan], [0.5, 3.0, math.nan], [math.nan, 0.0, math.nan]])
BOUNDS = torch.tensor([1.0, 4.0, 1.0])


def test_loss_is_the_bound_less_the_mean() -> None:
    found = shortfalls(REWARDS, BOUNDS)
    assert found.dtype == torch.float64
    assert found[:2].tolist() == [0.25, 3.0]
    assert found[2].isnan()


def test_weights_carry_the_mean_over_to_another_policy() -> None:
    found = shortfalls(REWARDS, BOUNDS, torch.tensor([3.0, 1.0, 4.0]))
    assert found[:2].tolist() == [1 - 3.5 / 4, 4 - 3 / 8]


def test_mean_above_its_bound_is_refused() -> None:
    with pytest.raises(CrosstalkError, match=r"upper_bounds: .* for 'b' that is 0\.5 below"):
        nonnegative(torch.tensor([0.1, -0.5]), ["a", "b"])


def test_rounding_below_zero_is_zero() -> None:
    assert nonnegative(torch.tensor([-1e-9, 0.5]), ["a", "b"]).tolist() == [0.0, 0.5]
