import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import GeometricMean

REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.5]])  # shortfalls 1/4 and 3/4
ADVANTAGES = torch.tensor([[1.0, -1.0], [-1.0, 2.0]])
GROUPS = torch.tensor([0, 0])


def test_weights_are_inverse_to_shortfalls() -> None:
    mean = GeometricMean(["a", "b"])
    combined = mean.combine(ADVANTAGES, REWARDS, GROUPS)
    assert mean.metrics() == pytest.approx({"weight/a": 3 / 4, "weight/b": 1 / 4})
    assert combined.tolist() == pytest.approx([3 / 4 - 1 / 4, -3 / 4 + 2 / 4])


def test_preference_weights_are_exponents() -> None:
    mean = GeometricMean(["a", "b"], [1, 3])  # 1/4 over 1/4 to 3/4 over 3/4
    mean.combine(ADVANTAGES, REWARDS, GROUPS)
    assert mean.metrics() == pytest.approx({"weight/a": 0.5, "weight/b": 0.5})


def test_shortfalls_have_a_floor() -> None:
    mean = GeometricMean(["a", "b"], epsilon=0.05)
    mean.combine(ADVANTAGES, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), GROUPS)  # 0 and 1
    assert mean.metrics() == pytest.approx({"weight/a": 20 / 21, "weight/b": 1 / 21})


def test_upper_bounds_are_where_shortfalls_are_counted_from() -> None:
    mean = GeometricMean(["a", "b"], upper_bounds=[1, 0.5])
    mean.combine(ADVANTAGES, REWARDS, GROUPS)
    assert mean.metrics() == pytest.approx({"weight/a": 0.5, "weight/b": 0.5})
    with pytest.raises(CrosstalkError, match=r"upper_bounds: expected one that no reward exceeds"):
        GeometricMean(["a", "b"], upper_bounds=[0.5, 1]).combine(ADVANTAGES, REWARDS, GROUPS)


def test_inapplicable_objective_has_no_weight() -> None:
    mean = GeometricMean(["a", "b"])
    mean.combine(ADVANTAGES, torch.tensor([[1.0, math.nan], [0.5, math.nan]]), GROUPS)
    assert mean.metrics() == {"weight/a": 1.0, "weight/b": 0.0}
