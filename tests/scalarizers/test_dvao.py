import math

import pytest
import torch

from benchmark.scalarizers import DVAO

UNUSED = torch.full((4, 2), math.nan)
GROUPS = torch.tensor([0, 1, 0, 1])


def z(gap: float) -> float:
    """Return the z-score of the better of two completions whose rewards are ``gap`` apart."""
    return gap / 2 / (gap / math.sqrt(2) + 1e-4)


def test_zscores_are_weighed_by_weight_times_deviation() -> None:
    # Prompt 0: gaps 1 and .5, deviations 2 to 1. Prompt 1: gaps 0 and 3.
    rewards = torch.tensor([[1.0, 0.0], [4.0, 3.0], [0.0, 0.5], [4.0, 0.0]])
    dvao = DVAO(["a", "b"])
    combined = dvao.combine(UNUSED, rewards, GROUPS)
    first = 2 / 3 * z(1) - 1 / 3 * z(0.5)
    assert combined.tolist() == pytest.approx([first, z(3), -first, -z(3)])
    assert dvao.metrics() == pytest.approx({"weight/a": 1 / 3, "weight/b": 2 / 3})
    # Weights 1 to 3 make it 2 to 3 in prompt 0.
    combined = DVAO(["a", "b"], [1, 3]).combine(UNUSED, rewards, GROUPS)
    assert combined[0].item() == pytest.approx(2 / 5 * z(1) - 3 / 5 * z(0.5))


def test_group_of_equal_rewards_has_no_advantage() -> None:
    rewards = torch.tensor([[0.25, 0.5], [1.0, 0.0], [0.25, 0.5], [0.0, 3.0]])
    dvao = DVAO(["a", "b"])
    combined = dvao.combine(UNUSED, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([0, (z(1) - 3 * z(3)) / 4, 0, (3 * z(3) - z(1)) / 4])
    assert dvao.metrics() == pytest.approx({"weight/a": 0.25, "weight/b": 0.75})


def test_inapplicable_objective_adds_nothing() -> None:
    rewards = torch.tensor([[1.0, math.nan], [1.0, 0.0], [0.0, math.nan], [0.0, math.nan]])
    combined = DVAO(["a", "b"]).combine(UNUSED, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([z(1), z(1), -z(1), -z(1)])


def test_batch_without_differences_is_tracked_as_such() -> None:
    dvao = DVAO(["a", "b"], [1, 3])
    assert dvao.metrics() == {"weight/a": 0.25, "weight/b": 0.75}
    dvao.combine(UNUSED, torch.ones(4, 2), GROUPS)
    assert dvao.metrics() == {"weight/a": 0.0, "weight/b": 0.0}
