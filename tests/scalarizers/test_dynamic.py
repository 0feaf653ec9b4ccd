import math

import pytest
import torch

from benchmark.scalarizers import Dynamic

GRAMIAN = torch.tensor([[2.0, -1.0], [-1.0, 3.0]], dtype=torch.float64)  # influence 1 and 2
LOSSES = torch.zeros(2, dtype=torch.float64)


def test_weights_move_before_they_weigh() -> None:
    dynamic = Dynamic(["a", "b"], [1, 3], step_size=0.5, regularization=0.5)
    first, second = math.e, 3 * math.e**2
    expected = [first / (first + second), second / (first + second)]
    assert dynamic.weigh(GRAMIAN, LOSSES).tolist() == pytest.approx(expected)
    first, second = math.e**2, 3 * math.e**4
    expected = [first / (first + second), second / (first + second)]
    assert dynamic.weigh(GRAMIAN, LOSSES).tolist() == pytest.approx(expected)
    assert dynamic.metrics() == pytest.approx({"weight/a": expected[0], "weight/b": expected[1]})


def test_default_step_is_a_tenth_of_the_influence() -> None:
    found = Dynamic(["a", "b"]).weigh(GRAMIAN, LOSSES)
    assert (found[1] / found[0]).log().item() == pytest.approx(0.1)


def test_huge_influence_can_be_undone() -> None:
    dynamic = Dynamic(["a", "b"])
    assert dynamic.weigh(1e12 * GRAMIAN, LOSSES).tolist() == pytest.approx([0, 1], abs=1e-15)
    back = torch.tensor([[500.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert dynamic.weigh(back, LOSSES)[0].item() > 0.99  # 49.9 against the 40 it lags


def test_objective_of_weight_zero_has_no_part() -> None:
    gramian = torch.tensor([[2.0, -1, 9], [-1, 3, 0], [9, 0, 99]], dtype=torch.float64)
    found = Dynamic(["a", "b", "c"], [1, 1, 0]).weigh(gramian, torch.zeros(3))
    assert found[:2].tolist() == pytest.approx(Dynamic(["a", "b"]).weigh(GRAMIAN, LOSSES).tolist())
    assert found[2] == 0
