import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import PBI

REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.5]])  # shortfalls 1/4 and 3/4
ADVANTAGES = torch.tensor([[1.0, -1.0], [-1.0, 2.0]])
GROUPS = torch.tensor([0, 0])


def test_objective_ahead_of_the_ray_has_a_negative_weight() -> None:
    # The ray is (1, 1)/sqrt 2; e = (-1/4, 1/4), of direction (-1, 1)/sqrt 2. 1 - 5 to 1 + 5.
    pbi = PBI(["a", "b"])
    combined = pbi.combine(ADVANTAGES, REWARDS, GROUPS)
    assert pbi.metrics() == pytest.approx({"weight/a": -0.4, "weight/b": 0.6})
    assert combined.tolist() == pytest.approx([-0.4 - 0.6, 0.4 + 1.2])


def test_losses_on_the_ray_weigh_as_preferred() -> None:
    pbi = PBI(["a", "b"], [1, 3])
    pbi.combine(ADVANTAGES, REWARDS, GROUPS)
    assert pbi.metrics() == pytest.approx({"weight/a": 0.25, "weight/b": 0.75}, abs=1e-5)


def test_upper_bounds_are_where_shortfalls_are_counted_from() -> None:
    pbi = PBI(["a", "b"], theta=1, upper_bounds=[1, 0.3])
    pbi.combine(ADVANTAGES, REWARDS, GROUPS)  # shortfalls .25 and .05: weights 1 + 1 to 1 - 1
    assert pbi.metrics() == pytest.approx({"weight/a": 1.0, "weight/b": 0.0}, abs=1e-5)
    with pytest.raises(CrosstalkError, match="upper_bounds: expected one that no reward exceeds"):
        PBI(["a", "b"], upper_bounds=[1, 0.2]).combine(ADVANTAGES, REWARDS, GROUPS)


def test_inapplicable_objective_has_no_weight() -> None:
    pbi = PBI(["a", "b"])
    pbi.combine(ADVANTAGES, torch.tensor([[1.0, math.nan], [0.5, math.nan]]), GROUPS)
    assert pbi.metrics() == pytest.approx({"weight/a": 1.0, "weight/b": 0.0}, abs=1e-5)
