"""What an objective may return, and what becomes of one that breaks the contract."""

import math
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.common.termination import Terminated
from benchmark.objectives import Objective


class Given(Objective):
    """Rewards two completions with what it was given, or by what a function does."""

    name = "given"

    def __init__(self, rewards: Any) -> None:
        self.given = rewards

    def rewards(self, **columns: Any) -> Any:
        return self.given() if callable(self.given) else self.given


def rewarded(rewards: Any) -> list[float]:
    return Given(rewards)(completions=["a", "b"], completion_ids=[[1], [2]])


@pytest.mark.parametrize(
    "rewards",
    [
        [1, False],
        [np.float32(1), np.int64(0)],
        [np.bool_(True), np.bool_(False)],
        [np.array(1.0), np.array(0)],
        [torch.tensor(1.0), torch.tensor(False)],
        [torch.tensor(1.0, dtype=torch.bfloat16), Fraction(0)],
        np.array([1.0, 0.0]),
        np.array([True, False]),
        torch.tensor([1, 0]),
        (reward for reward in (1.0, 0.0)),
    ],
    ids=lambda rewards: type(rewards).__name__,
)
def test_numbers_of_python_numpy_and_torch_are_taken(rewards: Any) -> None:
    found = rewarded(rewards)
    assert found == [1.0, 0.0]
    assert [type(reward) for reward in found] == [float, float]


@pytest.mark.parametrize("nothing", [None, math.nan, np.float32("nan"), torch.tensor(math.nan)])
def test_none_and_nan_say_that_it_does_not_apply(nothing: Any) -> None:
    found = rewarded([1.0, nothing])
    assert found[0] == 1.0
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    "reward",
    [
        math.inf, -math.inf, np.float64("inf"), torch.tensor(math.inf), 10**400, "1", b"1", 1j,
        Decimal(1), [1.0], np.array([1.0]), torch.ones(1), {}, object, np.str_("1"),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_what_is_no_finite_number_is_refused(reward: Any) -> None:
    with pytest.raises(CrosstalkError, match="objective 'given': completion 1: expected a finite"):
        rewarded([0.0, reward])


@pytest.mark.parametrize(
    "rewards", [[1.0], [[1.0, 0.0]], torch.ones(2, 2), "ab", None, 1.0, {"a": 1.0, "b": 0.0}]
)
def test_what_is_no_number_a_completion_is_refused(rewards: Any) -> None:
    with pytest.raises(CrosstalkError, match="objective 'given'"):
        rewarded(rewards)


def leave() -> None:
    sys.exit(0)


def divide() -> float:
    return 1 / 0


@pytest.mark.parametrize(
    ("act", "reason"), [(leave, "SystemExit: 0"), (divide, "ZeroDivisionError: division by zero")]
)
def test_an_objective_that_raises_or_exits_is_named(act: Callable[[], Any], reason: str) -> None:
    with pytest.raises(CrosstalkError, match=f"^objective 'given' raised {reason}$"):
        rewarded(act)


def test_an_objective_that_never_ends_is_interrupted() -> None:
    objective = Given(lambda: time.sleep(60))
    objective.time_limit = 0.05
    with pytest.raises(CrosstalkError, match=r"objective 'given': expected an end within 0.05 s"):
        objective(completions=["a"], completion_ids=[[1]])


def test_the_end_of_the_process_passes_through() -> None:
    def end() -> None:
        raise Terminated

    with pytest.raises(Terminated):
        rewarded(end)
