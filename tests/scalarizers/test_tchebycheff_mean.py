import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import TchebycheffMean

REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.25], [0.0, 0.5]])  # means 1/2 and 1/4


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [([1, 1], 1), ([1, 3], 1), ([2, 1], 0), ([3, 1], 0), ([1, 0], 0)],  # gaps 1/2 and 3/4
)
def test_the_worst_weighted_mean_is_trained_on(weights: list[float], chosen: int) -> None:
    tchebycheff = TchebycheffMean(["a", "b"], weights)
    assert tchebycheff.score(REWARDS).tolist() == REWARDS[:, chosen].tolist()
    assert tchebycheff.metrics()["weight/a"] == (chosen == 0)


def test_the_expectation_of_a_maximum_is_not_taken() -> None:
    # Each completion's own worst is a for the last and b for the first; the means say b for both.
    rewards = torch.tensor([[1.0, 0.0], [0.25, 0.5]])
    assert TchebycheffMean(["a", "b"]).score(rewards).tolist() == [0.0, 0.5]


def test_running_reference_is_the_highest_mean() -> None:
    tchebycheff = TchebycheffMean(["a", "b"], running=True)
    tchebycheff.score(REWARDS)
    assert tchebycheff.metrics()["reference_point/a"] == 0.5
    later = torch.tensor([[0.5, 0.0], [0.0, 0.5]])  # gaps 1/4 and 0
    assert tchebycheff.score(later).tolist() == [0.5, 0.0]
    assert tchebycheff.metrics()["reference_point/b"] == 0.25
    later = torch.tensor([[1.0, 0.0], [0.5, 0.25]])  # gaps 0 and 1/8
    assert tchebycheff.score(later).tolist() == [0.0, 0.25]
    assert tchebycheff.metrics()["reference_point/a"] == 0.75


def test_mean_above_a_fixed_reference_is_refused() -> None:
    with pytest.raises(CrosstalkError, match=r"no reward exceeds, got one for 'a' that is 0.25"):
        TchebycheffMean(["a", "b"], upper_bounds=[0.25, 1]).score(REWARDS)


def test_without_an_objective_of_weight_there_is_no_score() -> None:
    rewards = torch.tensor([[math.nan, 0.5], [math.nan, 0.0]])
    assert TchebycheffMean(["a", "b"], [1, 0]).score(rewards).isnan().all()
    assert TchebycheffMean(["a", "b"]).score(rewards).tolist() == [0.5, 0.0]
