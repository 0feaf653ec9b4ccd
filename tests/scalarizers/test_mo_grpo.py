import math

import pytest
import torch

from benchmark.scalarizers import MOGRPO

UNUSED = torch.full((4, 2), math.nan)
GROUPS = torch.tensor([0, 1, 0, 1])
Z = 0.5 / (math.sqrt(0.5) + 1e-4)  # of two completions whose rewards differ by 1


def test_zscores_are_added_whatever_the_weights_and_scales() -> None:
    rewards = torch.tensor([[1.0, 7.0], [1.0, 3.0], [0.0, 6.0], [0.0, 4.0]])
    combined = MOGRPO(["a", "b"], [1, 3]).combine(UNUSED, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([2 * Z, 0, -2 * Z, 0], abs=1e-6)
    scaled = MOGRPO(["a", "b"], [1, 3]).combine(UNUSED, rewards * 1000, GROUPS)
    torch.testing.assert_close(scaled, combined, rtol=1e-3, atol=1e-6)


def test_inapplicable_objective_adds_nothing() -> None:
    rewards = torch.tensor([[1.0, 7.0], [1.0, 3.0], [0.0, math.nan], [0.0, math.nan]])
    combined = MOGRPO(["a", "b"]).combine(UNUSED, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([Z, Z, -Z, -Z])


def test_every_objective_is_tracked_with_weight_one() -> None:
    assert MOGRPO(["a", "b"], [1, 3]).metrics() == {"weight/a": 1.0, "weight/b": 1.0}
