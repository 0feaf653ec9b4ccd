"""Means carried over to another policy, and completions padded."""

import math

import pytest
import torch

from benchmark.models.policy.logps import carried_over, padded


def test_carried_over_by_hand() -> None:
    ratios = torch.tensor([1.0, 5.0, 3.0, 2.0, 1.0])
    groups = torch.tensor([7, 4, 7, 4, 4])
    expected = torch.tensor([2 / 4, 15 / 8, 6 / 4, 6 / 8, 3 / 8], dtype=torch.float64)
    torch.testing.assert_close(carried_over(ratios.log(), groups), expected)


def test_a_policy_that_did_not_move_weighs_all_alike() -> None:
    assert carried_over(torch.zeros(5), torch.tensor([0, 1, 1, 0, 2])).tolist() == [1.0] * 5


@pytest.mark.parametrize("shift", [-3000.0, 0.0, 3000.0])
def test_ratios_of_long_completions_stay_finite(shift: float) -> None:
    weights = carried_over(shift + torch.tensor([0.0, math.log(3)]).double(), torch.tensor([0, 0]))
    torch.testing.assert_close(weights, torch.tensor([0.5, 1.5], dtype=torch.float64))


def test_padding_by_hand() -> None:
    batch = padded([[1, 2], [3]], [[4], [5, 6]], 9)
    assert batch["prompt_ids"].tolist() == [[1, 2], [9, 3]]
    assert batch["prompt_mask"].tolist() == [[1, 1], [0, 1]]
    assert batch["completion_ids"].tolist() == [[4, 9], [5, 6]]
    assert batch["completion_mask"].tolist() == [[1, 0], [1, 1]]
    assert padded([[1]], [[4]], 9, width=3)["completion_ids"].tolist() == [[4, 9, 9]]
