import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import SAMRPO

UNUSED = torch.full((4, 2), math.nan)
GROUPS = torch.tensor([0, 0, 1, 1])
# Means 3/4 and 0.36, of which 1/4 and 0.64 are left: roots 1/2 and 0.8.
REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.72], [1.0, 0.72], [0.5, 0.0]])


def z(gap: float) -> float:
    """Return the z-score of the better of two completions whose rewards are ``gap`` apart."""
    return gap / 2 / (gap / math.sqrt(2) + 1e-4)


def whitened(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / (deviation + 1e-4) for value in values]


def test_zscores_are_weighed_by_the_root_of_what_is_left() -> None:
    sa_mrpo = SAMRPO(["a", "b"])
    combined = sa_mrpo.combine(UNUSED, REWARDS, GROUPS)
    first, second = 0.25 * z(0.5), 0.4 * z(0.72)  # half of 1/2 and of 0.8
    sums = [first - second, second - first, first + second, -first - second]
    assert combined.tolist() == pytest.approx(whitened(sums), abs=1e-6)
    assert sa_mrpo.metrics() == pytest.approx({"weight/a": 0.25, "weight/b": 0.4})


def test_strength_and_bounds_are_parameters() -> None:
    sa_mrpo = SAMRPO(["a", "b"], [1, 3], gamma=2, lower_bounds=[0.5, -1], upper_bounds=[1, 1])
    sa_mrpo.combine(UNUSED, REWARDS, GROUPS)  # left: .25 of .5, .64 of 2
    assert sa_mrpo.metrics() == pytest.approx({"weight/a": 0.25 / 4, "weight/b": 0.75 * 0.32**2})


def test_saturated_objective_has_no_weight() -> None:
    rewards = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    sa_mrpo = SAMRPO(["a", "b"])
    sa_mrpo.combine(UNUSED, rewards, GROUPS)
    assert sa_mrpo.metrics() == pytest.approx({"weight/a": 0.0, "weight/b": 0.5 * math.sqrt(0.5)})


def test_mean_below_its_lower_bound_counts_as_the_bound() -> None:
    sa_mrpo = SAMRPO(["a", "b"], lower_bounds=[0.9, 0])
    sa_mrpo.combine(UNUSED, REWARDS, GROUPS)
    assert sa_mrpo.metrics()["weight/a"] == 0.5


def test_wrong_bounds_are_refused() -> None:
    with pytest.raises(CrosstalkError, match="lower_bounds: expected values below the upper bou"):
        SAMRPO(["a", "b"], lower_bounds=[1, 0])
    with pytest.raises(CrosstalkError, match="upper_bounds: expected one that no reward exceeds"):
        SAMRPO(["a", "b"], upper_bounds=[0.5, 1]).combine(UNUSED, REWARDS, GROUPS)
