import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import Completion, Objective, make_objective
from benchmark.objectives.calibrated import Calibrated, fitted, scaled

ENDS = (-4.03125, 4.53125)  # the public code's, of a reward model of helpfulness
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50)


class Told(Objective):
    """Rewards that are given beforehand, of no bound."""

    name = "told"
    upper_bound = math.inf

    def __init__(self, rewards: Sequence[float]) -> None:
        self.given = list(rewards)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return self.given


def calibrated(rewards: Sequence[float], **parameters: Any) -> list[float]:
    objective = Calibrated(Told(rewards), **parameters)
    return objective(completions=["x"] * len(rewards), completion_ids=[[1]] * len(rewards))


def test_affine_rewards_are_0_and_1_at_the_quantiles() -> None:
    middle = sum(ENDS) / 2
    assert calibrated([*ENDS, middle, 13.09375], fit=ENDS) == [0, 1, 0.5, 2]
    assert calibrated([-20, middle, 20], fit=ENDS, clip=True) == [0, 0.5, 1]


def test_logistic_rewards_are_the_quantiles_shares_there() -> None:
    found = calibrated([-1, 3, 1], kind="logistic", fit=[-1, 3])
    assert found == pytest.approx([0.1, 0.9, 0.5])
    found = calibrated([-1, 3], kind="logistic", quantiles=[0.2, 0.6], fit=[-1, 3])
    assert found == pytest.approx([0.2, 0.6])
    # By the formula: β = (q.9 − q.1) / (2 logit .9) = 4 / (2 · 2.19722), α = q.1 + β logit .9 = 1.
    beta = 4 / (2 * math.log(9))
    (at_two,) = calibrated([2], kind="logistic", fit=[-1, 3])
    assert at_two == pytest.approx(1 / (1 + math.exp(-(2 - 1) / beta)))
    assert calibrated([-1e9, 1e9], kind="logistic", fit=[-1, 3]) == [0, 1]


def test_where_the_reward_does_not_apply_neither_does_this() -> None:
    for settings in ({}, {"clip": True}, {"kind": "logistic"}):
        assert math.isnan(calibrated([math.nan], fit=ENDS, **settings)[0])


@given(scores=SCORES, kind=st.sampled_from(["affine", "logistic"]))
def test_the_order_of_rewards_stays(scores: list[float], kind: str) -> None:
    scale = scaled(kind, (0.1, 0.9), (-2.0, 5.0))
    found = [scale(score) for score in sorted(scores)]
    assert found == sorted(found)


def test_a_fit_is_two_quantiles_of_what_applies() -> None:
    scores = [math.nan, *map(float, range(101))]
    assert fitted(scores, (0.01, 0.99), "here") == pytest.approx((1, 99))


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([0.0, *[3.0] * 400], "expected rewards of the initial policy that differ, got 3 at both"),
        ([2.0] * 5, "that differ, got 2 at both quantiles, 0.01 and 0.99, of 5"),
        ([math.nan] * 3, "expected rewards of the initial policy, got none"),
    ],
)
def test_rewards_that_do_not_differ_are_refused(scores: list[float], reason: str) -> None:
    scores = sorted(scores, reverse=True) if scores[0] == 0.0 else scores
    with pytest.raises(CrosstalkError, match=f"^here: .*{reason}"):
        fitted(scores, (0.01, 0.99), "here")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "policy: expected a model's id, or else two numbers as fit, got nothing"),
        ({"fit": [1, 1]}, "fit: expected two numbers, the first below"),
        ({"fit": [0, math.inf]}, "fit: expected two numbers"),
        ({"fit": [0]}, "fit: expected two numbers"),
        ({"fit": [0, 1], "kind": "cubic"}, "kind: expected one of affine, logistic"),
        ({"fit": [0, 1], "quantiles": [0.9, 0.1]}, "quantiles: expected two shares, a below b"),
        ({"fit": [0, 1], "quantiles": [0.1, 1.1]}, "quantiles: expected two shares, a below b"),
        ({"fit": [0, 1], "kind": "logistic", "quantiles": [0, 0.9]}, "quantiles: .* above 0 and"),
        ({"fit": [0, 1], "kind": "logistic", "clip": True}, "clip: expected false with kind: logi"),
        ({"policy": "m", "prompts": 1}, "prompts: expected an integer of at least 2"),
    ],
)
def test_parameters_that_do_not_fit_are_told(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(CrosstalkError, match=rf"^objective 'calibrated': {reason}"):
        make_objective("mine", "calibrated", {"reward": "format", **parameters})


def test_without_a_scale_nothing_is_rewarded() -> None:
    with pytest.raises(CrosstalkError, match="not calibrated: run `crosstalk calibrate STUDY cali"):
        calibrated([1.0], policy="m")


def test_evaluation_holds_the_reward_still_on_the_same_scale() -> None:
    moving = make_objective(
        "mine", "calibrated", {"reward": "conciseness", "fit": [-1, 1], "kind": "logistic"}
    )
    moving.observe([2])
    fixed = moving.for_evaluation(5.0)
    fixed.observe([100])
    batch: dict[str, Any] = {"completions": ["x", "x"], "completion_ids": [[1] * 3, [1] * 9]}
    assert moving(**batch) == pytest.approx([0.5, 0.5])  # neither below 2 tokens
    assert fixed(**batch) == pytest.approx([0.9, 0.5])
    assert fixed.name == "mine"
