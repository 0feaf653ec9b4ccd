import math

import pytest
import torch

from benchmark.scalarizers import COSMOS

ADVANTAGES = torch.tensor([[1.0, -1.0], [-1.0, 2.0]])
GROUPS = torch.tensor([0, 0])


def test_cosine_weighs_against_the_smaller_loss() -> None:
    # w = (1/2, 1/2), losses (.3, .4): norms sqrt(1/2) and 1/2, w'l = .35, cosine .7 sqrt 2.
    cosmos = COSMOS(["a", "b"], penalty=2)
    rewards = torch.tensor([[0.7, 0.6], [0.7, 0.6]])
    combined = cosmos.combine(ADVANTAGES, rewards, GROUPS)
    root = math.sqrt(2)
    # The cosine's slopes: (root - .7 root * .3 / .25, root - .7 root * .4 / .25).
    first, second = 0.5 - 2 * 0.16 * root, 0.5 + 2 * 0.12 * root
    total = abs(first) + abs(second)
    expected = {"weight/a": first / total, "weight/b": second / total}
    assert cosmos.metrics() == pytest.approx(expected, rel=1e-5)
    assert combined[0].item() == pytest.approx((first - second) / total, rel=1e-5)


def test_small_loss_can_have_a_negative_weight() -> None:
    cosmos = COSMOS(["a", "b"], penalty=8)
    cosmos.combine(ADVANTAGES, torch.tensor([[0.9, 0.2], [0.9, 0.2]]), GROUPS)
    assert cosmos.metrics()["weight/a"] < 0 < cosmos.metrics()["weight/b"]


def test_losses_in_proportion_to_the_weights_weigh_as_preferred() -> None:
    cosmos = COSMOS(["a", "b"], [1, 3], penalty=8)
    cosmos.combine(ADVANTAGES, torch.tensor([[0.75, 0.25], [0.75, 0.25]]), GROUPS)
    assert cosmos.metrics() == pytest.approx({"weight/a": 0.25, "weight/b": 0.75}, abs=1e-5)
