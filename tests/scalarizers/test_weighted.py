import math
from typing import Any

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import make_scalarizer

NAMES = ["a", "b", "c"]


def test_score_is_the_sum_by_the_training_weights() -> None:
    weighted = make_scalarizer("weighted", NAMES, [1, 0, 0], training_weights=[1, 1, 2])
    rewards = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, math.nan], [math.nan] * 3])
    # Weights 1/4, 1/4, 1/2: .25 + .25, and .25 of what applies.
    assert weighted.score(rewards)[:2].tolist() == [0.5, 0.25]
    assert weighted.score(rewards)[2].isnan()


def test_preferences_stay_what_results_are_judged_by() -> None:
    weighted = make_scalarizer("weighted", NAMES, [2, 1, 1], training_weights=[0, 0, 5])
    assert weighted.weights.tolist() == [0.5, 0.25, 0.25]
    assert weighted.metrics() == {"weight/a": 0.0, "weight/b": 0.0, "weight/c": 1.0}


@pytest.mark.parametrize("given", [None, [0.2, 0.3, 0.5]])
def test_with_the_preferences_it_is_linear(given: list[float] | None) -> None:
    rewards = torch.rand(257, 3, generator=torch.Generator().manual_seed(0))
    weighted = make_scalarizer("weighted", NAMES, [0.2, 0.3, 0.5], training_weights=given)
    linear = make_scalarizer("linear", NAMES, [0.2, 0.3, 0.5])
    assert torch.equal(weighted.score(rewards), linear.score(rewards))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 2], "a list of 3 finite numbers, each at least 0, got [1, 2]"),
        ([1, 2, -1], "a list of 3 finite numbers, each at least 0"),
        ([0, 0, 0], "a positive sum, got [0, 0, 0]"),
        ("abc", "a list of 3 finite numbers"),
    ],
)
def test_weights_that_are_none_are_refused(given: Any, expected: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        make_scalarizer("weighted", NAMES, training_weights=given)
    told = str(caught.value)
    assert told.startswith(f"algorithm 'weighted': training_weights: expected {expected}")
