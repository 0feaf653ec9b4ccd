import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import STCH

REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.25], [0.0, 0.5]])  # means 1/2 and 1/4


def test_weights_are_a_softmax_of_weighted_shortfalls() -> None:
    # w = (1/4, 3/4), shortfalls (1/2, 3/4): weighted (1/8, 9/16), their difference 7/16.
    stch = STCH(["a", "b"], [1, 3], mu=0.5)
    scores = stch.score(REWARDS)
    first = 1 / (1 + 3 * math.exp(7 / 8))  # w_a e^(1/4) to w_b e^(9/8)
    assert stch.metrics() == pytest.approx({"weight/a": first, "weight/b": 1 - first})
    assert scores[0].item() == pytest.approx(first)
    assert scores[2].item() == pytest.approx((1 - first) / 2)


def test_upper_bounds_are_where_shortfalls_are_counted_from() -> None:
    stch = STCH(["a", "b"], mu=0.1, upper_bounds=[1, 0.75])
    stch.score(REWARDS)  # shortfalls 1/2 each
    assert stch.metrics() == pytest.approx({"weight/a": 0.5, "weight/b": 0.5})
    with pytest.raises(CrosstalkError, match=r"upper_bounds: expected one that no reward exceeds"):
        STCH(["a", "b"], mu=0.1, upper_bounds=[1, 0.2]).score(REWARDS)


def test_weights_have_no_memory() -> None:
    stch = STCH(["a", "b"], mu=0.1)
    stch.score(REWARDS)
    stch.score(torch.tensor([[0.5, 0.25], [0.0, 0.25]]))
    assert stch.metrics() == pytest.approx({"weight/a": 0.5, "weight/b": 0.5})


def test_inapplicable_objective_has_no_weight() -> None:
    stch = STCH(["a", "b", "c"], [1, 1, 2], mu=0.1)
    scores = stch.score(torch.tensor([[1.0, math.nan, 0.5], [0.0, math.nan, 0.5]]))
    first = 1 / (1 + 2 * math.exp(1.25))  # shortfalls 1/2, weighted 1/8 and 1/4
    assert stch.metrics()["weight/b"] == 0
    assert stch.metrics()["weight/a"] == pytest.approx(first)
    assert scores[1].item() == pytest.approx((1 - first) / 2)
    stch.score(torch.full((2, 3), math.nan))  # nothing is known: as before
    assert stch.metrics()["weight/a"] == pytest.approx(first)
