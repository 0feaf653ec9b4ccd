import math

import pytest
import torch

from benchmark.scalarizers import Feedback, MaxMin

REWARDS = torch.tensor([[1.0, 0.5], [0.0, 0.25]])


def shares(maxmin: MaxMin) -> list[float]:
    metrics = maxmin.metrics()
    return [metrics[f"weight/{name}"] for name in maxmin.objectives]


def test_objective_of_the_lowest_mean_is_the_score() -> None:
    maxmin = MaxMin(["a", "b"], [3, 1])
    assert shares(maxmin) == [0.75, 0.25]
    # Means .5 and .375, then .5 and .875.
    assert maxmin.score(REWARDS).tolist() == [0.5, 0.25]
    assert shares(maxmin) == [0.0, 1.0]
    assert maxmin.score(REWARDS + torch.tensor([0.0, 0.5])).tolist() == [1.0, 0.0]
    assert shares(maxmin) == [1.0, 0.0]


def test_update_leaves_the_choice_to_the_batch() -> None:
    maxmin = MaxMin(["a", "b"])
    maxmin.score(REWARDS)
    maxmin.update(Feedback(1 - REWARDS, torch.zeros(2)))
    assert shares(maxmin) == [0.0, 1.0]


def test_inapplicable_rewards_stay_out_of_the_means() -> None:
    maxmin = MaxMin(["a", "b", "c"])
    rewards = torch.tensor([[1.0, 0.75, math.nan], [0.0, math.nan, math.nan]])
    assert maxmin.score(rewards).tolist() == [1.0, 0.0]
    scores = maxmin.score(1 - rewards)  # means .5 and .25
    assert scores[0] == 0.25
    assert scores[1].isnan()


def test_multiplicative_weights_follow_the_means() -> None:
    maxmin = MaxMin(["a", "b"], [3, 1], step_size=2.0)
    # Before any update the weighted sum: 3/4 + 1/8 and 1/16.
    assert maxmin.score(REWARDS).tolist() == pytest.approx([0.875, 0.0625])
    maxmin.update(Feedback(REWARDS, torch.zeros(2)))
    first, second = 0.75 * math.exp(-1.0), 0.25 * math.exp(-0.75)
    expected = [first / (first + second), second / (first + second)]
    assert shares(maxmin) == pytest.approx(expected)
    assert maxmin.score(torch.eye(2)).tolist() == pytest.approx(expected)


def test_inapplicable_objective_keeps_its_weight() -> None:
    maxmin = MaxMin(["a", "b", "c", "d"], [2, 1, 1, 0], step_size=1.0)
    rewards = torch.tensor([[1.0, math.nan, 0.0, 0.0]])
    maxmin.update(Feedback(rewards, torch.zeros(1)))
    # a and c share their 3/4 anew, 2/e to 1; d has weight 0 and stays out.
    first = 0.75 * 2 / math.e / (2 / math.e + 1)
    assert shares(maxmin) == pytest.approx([first, 0.25, 0.75 - first, 0.0])
    maxmin.update(Feedback(rewards * math.nan, torch.zeros(1)))
    assert shares(maxmin) == pytest.approx([first, 0.25, 0.75 - first, 0.0])


def test_multiplicative_weights_recover_from_very_small() -> None:
    maxmin = MaxMin(["a", "b"], step_size=1000.0)
    maxmin.update(Feedback(torch.tensor([[1.0, 0.0]]), torch.zeros(1)))
    assert shares(maxmin) == [0.0, 1.0]  # e^-1000 is no float
    maxmin.update(Feedback(torch.tensor([[0.0, 1.0]]), torch.zeros(1)))
    assert shares(maxmin) == pytest.approx([0.5, 0.5], abs=1e-3)
