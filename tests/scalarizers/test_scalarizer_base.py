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
        ([1], r"\[1\] should have one value per objective \(2: accuracy, clarity\)"),
        ([1, -0.5], r"\[1, -0.5\] should be a list of 2 finite numbers, each at least 0"),
        ([1, math.nan], r"\[1, nan\] should be a list of 2 finite numbers"),
        ([1, math.inf], r"\[1, inf\] should be a list of 2 finite numbers"),
        ([1, "2"], r"\[1, '2'\] should be a list of 2 finite numbers"),
        ([True, 1], r"\[True, 1\] should be a list of 2 finite numbers"),
        ([0, 0], r"\[0, 0\] should have a positive, finite sum"),
        ([1.7e308, 1.7e308], r"\[1.7e.308, 1.7e.308\] should have a positive, finite sum"),
        (3, "3 should be a list of 2 finite numbers"),
    ],
)
def test_bad_weights_are_repeated_in_the_error(weights: list[float], message: str) -> None:
    with pytest.raises(CrosstalkError, match=f"weights: {message}"):
        Linear(NAMES, weights)


@pytest.mark.parametrize("objectives", [[], ["a", "a"]])
def test_objectives_are_distinct_and_there_are_some(objectives: list[str]) -> None:
    with pytest.raises(CrosstalkError, match="should be distinct and not empty"):
        Linear(objectives)


def test_feedback_is_frozen_and_optional_beyond_rewards_and_groups() -> None:
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
