import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import Feedback, GradNorm

GROUPS = torch.tensor([0, 0])
GRAMIAN = torch.tensor([[16.0, 1.0], [1.0, 4.0]], dtype=torch.float64)  # norms 4 and 2


def feedback(first: float, second: float, gramian: torch.Tensor = GRAMIAN) -> Feedback:
    """Return a batch of those mean rewards."""
    rewards = torch.tensor([[first, second], [first, second]])
    return Feedback(rewards=rewards, groups=GROUPS, gramian=gramian)


def weights(gradnorm: GradNorm) -> list[float]:
    return gradnorm.weigh(GRAMIAN, torch.zeros(2)).tolist()


def test_weights_start_at_the_preferences() -> None:
    assert weights(GradNorm(["a", "b"], [1, 3])) == [0.5, 1.5]


def test_lagging_objectives_gain_weight() -> None:
    gradnorm = GradNorm(["a", "b"])
    gradnorm.update(feedback(0.5, 0.5))
    # All losses are the first: rates 1. Lengths 4 and 2 about 3: w = 1 - .025 * 4, 1 + .025 * 2.
    first, second = 2 * 0.9 / 1.95, 2 * 1.05 / 1.95
    assert weights(gradnorm) == pytest.approx([first, second])
    gradnorm.update(feedback(0.1, 0.9))
    # Losses .9 and .1 of .5: ratios 1.8 and .2, mean 1, to the power of 1.5: 2.415 and .089.
    # Lengths 3.69 and 2.15 about 2.92: below 7.06 and above .26.
    first, second = first + 0.025 * 4, second - 0.025 * 2
    total = first + second
    assert weights(gradnorm) == pytest.approx([2 * first / total, 2 * second / total])
    assert gradnorm.metrics() == pytest.approx(
        {"weight/a": 2 * first / total, "weight/b": 2 * second / total}
    )


def test_alpha_is_the_strength_of_the_training_rates() -> None:
    gradnorm = GradNorm(["a", "b"], alpha=0.0, step_size=0.1)
    gradnorm.update(feedback(0.5, 0.5))  # w = .6 and 1.2, of 2: 2/3 and 4/3
    gradnorm.update(feedback(0.1, 0.9))
    # Rates do not count: lengths 8/3 and 8/3 are at their mean.
    assert weights(gradnorm) == pytest.approx([2 / 3, 4 / 3])


def test_upper_bounds_are_where_losses_are_zero() -> None:
    gradnorm = GradNorm(["a", "b"], upper_bounds=[3, 1])
    gradnorm.update(feedback(2.0, 0.5))
    assert gradnorm.state["initial_losses"].tolist() == [1.0, 0.5]


def test_reward_above_its_upper_bound_is_named() -> None:
    with pytest.raises(CrosstalkError, match=r"upper_bounds: .* for 'a' that is 1 below"):
        GradNorm(["a", "b"]).update(feedback(2.0, 0.5))


def test_step_leaves_every_weight_positive() -> None:
    gradnorm = GradNorm(["a", "b"], step_size=100.0)
    gradnorm.update(feedback(0.5, 0.5))
    # 1 - 400 becomes 1e-3; 1 + 200.
    assert weights(gradnorm) == pytest.approx([2 * 1e-3 / 201.001, 2 * 201 / 201.001])


@pytest.mark.parametrize("mean", [1.0, math.nan])
def test_objective_without_a_rate_is_taken_at_the_mean(mean: float) -> None:
    gradnorm = GradNorm(["a", "b", "c"])
    gramian = torch.eye(3, dtype=torch.float64) * torch.tensor([9.0, 4.0, 1.0])
    for reward in (0.5, 0.75):
        rewards = torch.tensor([[reward, 0.5, mean]] * 2)
        gradnorm.update(Feedback(rewards=rewards, groups=GROUPS, gramian=gramian))
    # The first step: lengths 3, 2, 1 about 2, all rates 1: w = 1 - .075, 1, 1 + .025, of 2.95.
    # The second: ratios 1/2 and 1, rates 2/3, 4/3 and 1 about a mean length of 2.
    first, second, third = (3 * w / 2.95 for w in (0.925, 1.0, 1.025))
    goal = (3 * first + 2 * second + third) / 3
    assert 3 * first > goal * (2 / 3) ** 1.5
    assert 2 * second < goal * (4 / 3) ** 1.5
    assert third < goal
    after = [first - 0.075, second + 0.05, third + 0.025]
    expected = [3 * w / sum(after) for w in after]
    assert gradnorm.state["current_weights"].tolist() == pytest.approx(expected)


def test_first_loss_is_of_the_first_applicable_batch() -> None:
    gradnorm = GradNorm(["a", "b"])
    for first in (math.nan, 0.25, 0.5):
        gradnorm.update(feedback(first, 0.5))
    assert gradnorm.state["initial_losses"].tolist() == [0.75, 0.5]


def test_objective_of_weight_zero_stays_out() -> None:
    gradnorm = GradNorm(["a", "b"], [1, 0])
    gradnorm.update(feedback(0.5, 0.25))
    assert weights(gradnorm) == [2.0, 0.0]


def test_defaults_are_the_studys() -> None:
    gradnorm = GradNorm(["a", "b"])
    assert (gradnorm.alpha, gradnorm.step_size) == (1.5, 0.025)
    assert gradnorm.upper_bounds.tolist() == [1, 1]
