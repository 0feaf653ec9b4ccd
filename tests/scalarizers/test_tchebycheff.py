import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import Tchebycheff

REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.8]])


def test_score_is_minus_the_worst_weighted_gap() -> None:
    # z = (1, .8), w = (1/4, 3/4): gaps (0, .8), (.5, .3), (1, 0), weighted (0, .6), (.125, .225),
    # (.25, 0).
    scores = Tchebycheff(["a", "b"], [1, 3]).score(REWARDS)
    assert scores.tolist() == pytest.approx([-0.6, -0.225, -0.25])


def test_augmentation_adds_the_weighted_sum() -> None:
    # Weighted sums .25, .5, .6, a tenth of which is added.
    scores = Tchebycheff(["a", "b"], [1, 3], rho=0.1).score(REWARDS)
    assert scores.tolist() == pytest.approx([-0.575, -0.175, -0.19])


def test_reference_point_is_the_running_maximum() -> None:
    tchebycheff = Tchebycheff(["a", "b"])
    assert "reference_point/a" not in tchebycheff.metrics()
    tchebycheff.score(REWARDS)
    assert tchebycheff.metrics()["reference_point/b"] == pytest.approx(0.8)
    tchebycheff.score(torch.tensor([[0.2, 0.9]]))
    assert tchebycheff.metrics()["reference_point/a"] == 1.0
    assert tchebycheff.metrics()["reference_point/b"] == pytest.approx(0.9)
    # The earlier maximum of a counts: gaps (.8, 0), weighted (.4, 0).
    assert tchebycheff.score(torch.tensor([[0.2, 0.9]])).tolist() == pytest.approx([-0.4])


def test_scoring_a_batch_twice_changes_nothing() -> None:
    tchebycheff = Tchebycheff(["a", "b"])
    assert torch.equal(tchebycheff.score(REWARDS), tchebycheff.score(REWARDS))


def test_fixed_reference_point_stays() -> None:
    tchebycheff = Tchebycheff(["a", "b"], reference_point=[2, 1])
    # Gaps (1, 1), (1.5, .5), (2, .2), halved.
    assert tchebycheff.score(REWARDS).tolist() == pytest.approx([-0.5, -0.75, -1.0])
    assert tchebycheff.metrics()["reference_point/a"] == 2.0


def test_reward_above_a_fixed_reference_point_is_named() -> None:
    tchebycheff = Tchebycheff(["a", "b"], reference_point=[1, 0.7])
    message = "reference_point: .* got 0.7 for 'b', which has a reward of 0.8"
    with pytest.raises(CrosstalkError, match=message):
        tchebycheff.score(REWARDS)
    inapplicable = torch.tensor([[1.0, math.nan], [math.nan, 0.7]])  # and rewards at the point
    assert tchebycheff.score(inapplicable).tolist() == [0.0, 0.0]


def test_inapplicable_reward_is_no_gap() -> None:
    rewards = torch.tensor([[math.nan, 0.8], [1.0, math.nan], [math.nan, math.nan], [0.0, 0.4]])
    scores = Tchebycheff(["a", "b"]).score(rewards)
    # z = (1, .8): gaps (.8 - .8) of b, (1 - 1) of a, none, and (1, .4) halved.
    assert scores[[0, 1, 3]].tolist() == [0.0, 0.0, -0.5]
    assert scores[2].isnan()
