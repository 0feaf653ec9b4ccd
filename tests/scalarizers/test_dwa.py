import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import DWA, Feedback

GROUPS = torch.tensor([0, 0])
ADVANTAGES = torch.tensor([[1.0, -1.0], [-1.0, 2.0]])


def batch(*means: float) -> Feedback:
    return Feedback(torch.tensor([means, means]), GROUPS)


def test_first_two_windows_have_the_preference_weights() -> None:
    dwa = DWA(["a", "b"], [1, 3], window=2)
    for _ in range(3):
        dwa.update(batch(0.5, 0.1))
        combined = dwa.combine(ADVANTAGES, torch.zeros(2, 2), GROUPS)
        assert combined.tolist() == pytest.approx([0.25 - 0.75, -0.25 + 1.5])


def test_weights_follow_the_ratio_of_two_windows() -> None:
    dwa = DWA(["a", "b"], window=2)
    for means in ((0.0, 0.2), (0.2, 0.2), (0.5, 0.2), (0.6, 0.2)):  # losses .9, .8 to .45, .8
        dwa.update(batch(*means))
    first, second = math.exp(0.5 / 2), math.exp(1 / 2)
    expected = {"weight/a": first / (first + second), "weight/b": second / (first + second)}
    assert dwa.metrics() == pytest.approx(expected)
    # The third window in place of the first: .45 to .15, .8 to .4.
    dwa.update(batch(0.8, 0.6))
    assert dwa.metrics() == pytest.approx(expected)
    dwa.update(batch(0.9, 0.6))
    first, second = math.exp(1 / 3 / 2), math.exp(0.5 / 2)
    assert dwa.metrics()["weight/a"] == pytest.approx(first / (first + second))


def test_preference_weights_are_factors() -> None:
    dwa = DWA(["a", "b"], [1, 3], window=1, temperature=1)
    dwa.update(batch(0.0, 0.0))
    dwa.update(batch(0.5, 0.0))
    first, second = math.exp(0.5), 3 * math.e
    assert dwa.metrics()["weight/a"] == pytest.approx(first / (first + second))


def test_loss_has_a_floor_and_unknown_ones_stay() -> None:
    dwa = DWA(["a", "b", "c"], window=1, epsilon=0.1)
    dwa.update(batch(1.0, math.nan, 0.0))
    dwa.update(batch(0.8, 0.5, 0.0))  # .1 to .2; unknown: 1; 1
    first, others = math.exp(2 / 2), math.exp(1 / 2)
    assert dwa.metrics()["weight/a"] == pytest.approx(first / (first + 2 * others))
    assert dwa.metrics()["weight/b"] == pytest.approx(others / (first + 2 * others))


def test_mean_above_its_bound_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="upper_bounds: expected one that no reward exceeds"):
        DWA(["a", "b"], upper_bounds=[0.4, 1]).update(batch(0.5, 0.5))
