import math

import pytest
import torch

from benchmark.scalarizers import CorrGRPO

GROUPS = torch.tensor([0, 0, 0, 0])
UNUSED = torch.full((4, 2), math.nan)


@pytest.mark.parametrize(
    ("second", "root"),
    [
        ([10.0, 10.0, 0.0, 0.0], 2.0),  # correlation 1: 1 + 1 + 2
        ([10.0, 0.0, 10.0, 0.0], math.sqrt(2)),  # 0
        ([10.0, 0.0, 0.0, 0.0], math.sqrt(2 + 2 / math.sqrt(3))),  # 1/sqrt 3
        ([7.0, 7.0, 7.0, 7.0], 1.0),  # a alone, its own correlation being left
    ],
)
def test_sum_is_divided_by_the_root_of_all_correlations(second: list[float], root: float) -> None:
    rewards = torch.tensor([[1.0, 1.0, 0.0, 0.0], second]).T
    combined = CorrGRPO(["a", "b"]).combine(UNUSED, rewards, GROUPS)
    centred = [sum(row) - 0.5 - sum(second) / 4 for row in rewards.tolist()]
    assert combined.tolist() == pytest.approx([each / (root + 1e-4) for each in centred], rel=1e-6)


def test_rewards_that_cancel_leave_their_difference_of_scale() -> None:
    rewards = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert CorrGRPO(["a", "b"]).combine(UNUSED, rewards, GROUPS).tolist() == [0] * 4
    rewards[:, 1] *= 3
    combined = CorrGRPO(["a", "b"]).combine(UNUSED, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([-1e4, -1e4, 1e4, 1e4], rel=1e-3)


def test_prompts_are_apart_and_missing_rewards_add_nothing() -> None:
    rewards = torch.tensor([[1.0, math.nan], [5.0, 1.0], [0.0, math.nan], [5.0, 0.0]])
    combined = CorrGRPO(["a", "b"]).combine(UNUSED, rewards, torch.tensor([0, 1, 0, 1]))
    half = 0.5 / (1 + 1e-4)
    assert combined.tolist() == pytest.approx([half, half, -half, -half])
