import dataclasses
import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import Feedback, Linear, Signal

NAMES = ["accuracy", "clarity"]


def test_weights_are_scaled_to_the_simplex() -> None:
    assert Linear(NAMES, [3, 1]).weights.tolist() == [0.75, 0.25]
    assert Linear(NAMES, (0.0, 2e30)).weights.tolist() == [0.0, 1.0]
    assert Linear([*NAMES, "c", "d"]).weights.tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], r"one number per objective \(2: accuracy, clarity\), got \[1\]"),
        ([1, -0.5], r"a list of 2 finite numbers, each at least 0, got \[1, -0.5\]"),
        ([1, math.nan], "a list of 2 finite numbers"),
        ([1, math.inf], "a list of 2 finite numbers"),
        ([1, "2"], r"a list of 2 finite numbers.*got \[1, '2'\]"),
        ([True, 1], "a list of 2 finite numbers"),
        ([0, 0], r"a positive, finite sum, got \[0, 0\]"),
        ([1.7e308, 1.7e308], "a positive, finite sum"),
        (3, "a list of 2 finite numbers.*got 3"),
    ],
)
def test_bad_weights_are_repeated_in_the_error(weights: list[float], message: str) -> None:
    with pytest.raises(CrosstalkError, match=f"weights: expected {message}"):
        Linear(NAMES, weights)


@pytest.mark.parametrize("objectives", [[], ["a", "a"]])
def test_objectives_are_distinct_and_there_are_some(objectives: list[str]) -> None:
    with pytest.raises(CrosstalkError, match="objectives: expected one or more distinct names"):
        Linear(objectives)


def test_feedback_is_frozen_with_optional_signals() -> None:
    feedback = Feedback(torch.zeros(2, 1), torch.zeros(2))
    optional = [field.name for field in dataclasses.fields(feedback)][2:]
    assert optional == [
        "completion_weights",
        "gramian",
        "losses_before",
        "losses_after",
        "validation",
    ]
    assert all(dataclasses.asdict(feedback)[name] is None for name in optional)
    with pytest.raises(dataclasses.FrozenInstanceError):
        feedback.rewards = torch.ones(2, 1)  # type: ignore[misc]


def test_signals_are_the_four_of_the_contract() -> None:
    assert {signal.name for signal in Signal} == {
        "COMPLETION_WEIGHTS",
        "GRAMIAN",
        "LOSSES",
        "VALIDATION",
    }
