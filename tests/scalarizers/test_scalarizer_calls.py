"""A scalarizer that breaks the contract in a training is refused in one line that names it."""

import math
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError, Faulty
from benchmark.scalarizers import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Linear,
    ScoreScalarizer,
    calls,
)

NAMES = ["a", "b"]
REWARDS = torch.tensor([[1.0, 0.0], [0.5, math.nan], [math.nan, math.nan]])
GROUPS = torch.zeros(3, dtype=torch.long)
FINITE = "expected {} finite numbers in a tensor"


def leave(*arguments: Any) -> Any:
    sys.exit(0)


def fail(*arguments: Any) -> Any:
    raise KeyError("weights")


RETURNS: dict[str, Any] = {
    "wrong shape": lambda like: like[:, None],
    "one too few": lambda like: like[1:],
    "none": lambda like: None,
    "list": lambda like: like.tolist(),
    "number": lambda like: 0.5,
    "all NaN": lambda like: like * math.nan,
    "infinite": lambda like: like + math.inf,
    "integers": lambda like: like.long(),
}
every_return = pytest.mark.parametrize("make", RETURNS.values(), ids=RETURNS)


def of(kind: type[Any], method: str, act: Any) -> Any:
    return type("Mine", (kind,), {method: lambda self, *given: act(*given)})(NAMES)


@every_return
def test_a_score_of_no_use_is_refused(make: Any) -> None:
    scalarizer = of(ScoreScalarizer, "score", lambda rewards: make(rewards.new_zeros(len(rewards))))
    with pytest.raises(Faulty, match=r"^scalarizer \w+:Mine.score: " + FINITE.format(3)):
        calls.score(scalarizer, REWARDS)


@every_return
def test_an_advantage_of_no_use_is_refused(make: Any) -> None:
    def combine(self: Any, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Any:
        return make(advantages[:, 0])

    scalarizer = type("Mine", (AdvantageScalarizer,), {"combine": combine})(NAMES)
    with pytest.raises(Faulty, match=r"Mine.combine: " + FINITE.format(3)):
        calls.combine(scalarizer, torch.zeros(3, 2), REWARDS, GROUPS)


@pytest.mark.parametrize("kind", sorted(RETURNS.keys() - {"integers"}))
def test_weights_of_no_use_are_refused(kind: str) -> None:
    make = RETURNS[kind]
    scalarizer = of(GradientScalarizer, "weigh", lambda gramian, losses: make(losses))
    with pytest.raises(Faulty, match=r"Mine.weigh: " + FINITE.format(2)):
        calls.weigh(scalarizer, torch.eye(2), torch.ones(2))


@pytest.mark.parametrize(("act", "reason"), [(leave, "SystemExit: 0"), (fail, "KeyError: 'wei")])
def test_a_method_that_raises_or_exits_is_named(act: Any, reason: str) -> None:
    feedback = Feedback(REWARDS, GROUPS)
    with pytest.raises(Faulty, match=f"Mine.score raised {reason}"):
        calls.score(of(ScoreScalarizer, "score", act), REWARDS)
    with pytest.raises(Faulty, match=f"Mine.update raised {reason}"):
        calls.tell(of(Linear, "update", act), feedback)
    with pytest.raises(Faulty, match=f"Mine.metrics raised {reason}"):
        calls.metrics(of(Linear, "metrics", act))


def test_rewards_changed_in_place_are_noticed() -> None:
    def blank(rewards: Tensor) -> Tensor:
        return rewards.nan_to_num_().sum(dim=1)

    before = REWARDS.clone()
    with pytest.raises(Faulty, match=r"Mine.score: expected to find its input `rewards` unchanged"):
        calls.score(of(ScoreScalarizer, "score", blank), REWARDS)
    assert torch.equal(REWARDS.isnan(), before.isnan())


@pytest.mark.parametrize("value", ["0.5", None, [0.5], math.nan, math.inf, torch.ones(2)])
def test_a_metric_that_is_no_number_is_refused(value: Any) -> None:
    scalarizer = of(Linear, "metrics", lambda: {"weight/a": 0.5, "weight/b": value})
    with pytest.raises(Faulty, match=r"Mine.metrics: weight/b: expected a finite number, got "):
        calls.metrics(scalarizer)


def test_metrics_may_be_numbers_of_any_library() -> None:
    scalarizer = of(Linear, "metrics", lambda: {"weight/a": torch.tensor(0.5), "weight/b": 1})
    assert calls.metrics(scalarizer) == {"weight/a": 0.5, "weight/b": 1.0}


def test_what_is_meant_for_the_user_passes_through() -> None:
    def refuse(*given: Any) -> Any:
        raise CrosstalkError("upper_bounds: expected more")

    with pytest.raises(CrosstalkError, match=r"^upper_bounds: expected more$"):
        calls.tell(of(Linear, "update", refuse), Feedback(REWARDS, GROUPS))


def test_a_sound_scalarizer_is_heard_to_the_bit() -> None:
    own = Linear(NAMES, [3, 1])
    expected = own.score(REWARDS)
    torch.testing.assert_close(calls.score(own, REWARDS), expected, rtol=0, atol=0, equal_nan=True)
    assert calls.named(own) == "scalarizer Linear"
