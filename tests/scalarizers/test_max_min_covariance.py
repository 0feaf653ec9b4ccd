import math

import pytest
import torch
from torch import Tensor

from benchmark.scalarizers import Feedback, MaxMinCovariance

# Within one prompt, of variance 1/4 and uncorrelated.
FIRST, SECOND = torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0, 1.0])


def feedback(*columns: Tensor) -> Feedback:
    return Feedback(torch.stack(columns, dim=1), torch.zeros(4))


def weights(scalarizer: MaxMinCovariance) -> list[float]:
    metrics = scalarizer.metrics()
    return [metrics[f"weight/{name}"] for name in scalarizer.objectives]


def normalised(scalarizer: MaxMinCovariance) -> list[float]:
    metrics = scalarizer.metrics()
    return [metrics[f"normalised_covariance/{name}"] for name in scalarizer.objectives]


def test_preferences_are_used_before_evidence() -> None:
    scalarizer = MaxMinCovariance(["a", "b"], [1, 3])
    assert scalarizer.smoothing == 0.1
    assert scalarizer.score(torch.tensor([[2.0, 4.0]])).tolist() == [3.5]
    scalarizer.update(feedback(torch.ones(4), torch.zeros(4)))
    scalarizer.update(feedback(FIRST * math.nan, SECOND * math.nan))
    assert scalarizer.metrics() == {"weight/a": 0.25, "weight/b": 0.75}


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_uncorrelated_objectives_share_equally(scale: float) -> None:
    # Sigma diagonal: (Sigma w)_j / sigma_j^2 = w_j at any scale.
    scalarizer = MaxMinCovariance(["a", "b"], [1, 3])
    scalarizer.update(feedback(FIRST, scale * SECOND))
    assert weights(scalarizer) == pytest.approx([0.5, 0.5])
    assert normalised(scalarizer) == pytest.approx([0.5, 0.5])
    assert scalarizer.score(torch.tensor([[2.0, 4.0]])).tolist() == pytest.approx([3.0])


def test_conflicting_objectives_are_both_served() -> None:
    # b = SECOND - a / 2: Sigma = [[1/4, -1/8], [-1/8, 5/16]]. Gains w_a - w_b / 2 and
    # w_b - 2/5 w_a are equal at w_a = 15/29, with 8/29 each.
    scalarizer = MaxMinCovariance(["a", "b"])
    scalarizer.update(feedback(FIRST, SECOND - FIRST / 2))
    assert weights(scalarizer) == pytest.approx([15 / 29, 14 / 29])
    assert normalised(scalarizer) == pytest.approx([8 / 29, 8 / 29])


def test_objective_that_serves_both_gets_all_the_weight() -> None:
    # b = a + SECOND: Sigma = [[1/4, 1/4], [1/4, 1/2]]. Gains 1 and 1 - w_a / 2.
    scalarizer = MaxMinCovariance(["a", "b"])
    scalarizer.update(feedback(FIRST, FIRST + SECOND))
    assert weights(scalarizer) == pytest.approx([0, 1])


def test_perfect_trade_off_certifies_zero() -> None:
    scalarizer = MaxMinCovariance(["a", "b"])
    scalarizer.update(feedback(FIRST, -FIRST))
    assert weights(scalarizer) == pytest.approx([0.5, 0.5])
    assert normalised(scalarizer) == pytest.approx([0, 0])


def test_covariance_is_a_moving_average() -> None:
    scalarizer = MaxMinCovariance(["a", "b"], smoothing=0.5)
    scalarizer.update(feedback(FIRST, SECOND))
    # Half of it [[1/4, -1/4], [-1/4, 1/4]]: gains w_a - w_b / 2 and w_b - w_a / 2.
    scalarizer.update(feedback(FIRST, -FIRST))
    assert normalised(scalarizer) == pytest.approx([0.25, 0.25])


def test_objective_without_variance_is_left_out() -> None:
    scalarizer = MaxMinCovariance(["a", "b", "c"], [1, 1, 8])
    scalarizer.update(feedback(FIRST, SECOND, torch.full((4,), 0.1)))
    assert weights(scalarizer) == pytest.approx([0.5, 0.5, 0.0])
    assert "normalised_covariance/c" not in scalarizer.metrics()


def test_inapplicable_objective_learns_nothing() -> None:
    scalarizer = MaxMinCovariance(["a", "b"], smoothing=0.5)
    scalarizer.update(feedback(FIRST, SECOND - FIRST / 2))
    for _ in range(3):
        scalarizer.update(feedback(FIRST, SECOND * math.nan))
    assert weights(scalarizer) == pytest.approx([15 / 29, 14 / 29])
