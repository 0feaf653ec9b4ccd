import math

import pytest
import torch
from torch import Tensor

from benchmark.scalarizers import GD2PO

GROUPS = torch.tensor([0, 0, 0, 0, 1, 1])
# Prompt 0: a and b agree on the first and the last completion, and disagree on the other two.
# Prompt 1: b tells nothing apart.
REWARDS = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
UNUSED = torch.full((6, 2), math.nan)
FOUR, TWO = 0.5 / (1 / math.sqrt(3) + 1e-4), 0.5 / (1 / math.sqrt(2) + 1e-4)  # z-scores


def whitened(values: list[float]) -> Tensor:
    found = torch.tensor(values, dtype=torch.float64)
    return (found - found.mean()) / (found.std() + 1e-4)


def test_completions_that_objectives_disagree_on_are_dropped() -> None:
    gd2po = GD2PO(["a", "b"])
    combined = gd2po.combine(UNUSED, REWARDS, GROUPS)
    # Half of prompt 0 stays, so its sums count half; in prompt 1 a alone decides, and all stays.
    expected = whitened([FOUR / 2, -FOUR / 2, TWO / 2, -TWO / 2]).tolist()
    assert combined[[0, 3, 4, 5]].tolist() == pytest.approx(expected)
    assert combined[[1, 2]].tolist() == [0, 0]
    kept = {"kept/a": 4 / 6, "kept/b": 2 / 4}  # of the sides each takes
    assert gd2po.metrics() == pytest.approx({"weight/a": 0.5, "weight/b": 0.5} | kept)


def test_nothing_moves_where_objectives_never_agree() -> None:
    rewards = torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 3)
    gd2po = GD2PO(["a", "b"])
    assert gd2po.combine(UNUSED, rewards, GROUPS).tolist() == [0] * 6
    assert gd2po.metrics()["kept/a"] == gd2po.metrics()["kept/b"] == 0


def test_snr_drops_where_little_of_the_sum_is_left() -> None:
    # Weights 1 to 3 leave |1 - 3| / (1 + 3) = 1/2 where the objectives disagree.
    for threshold, dropped in ((0.49, 0), (0.51, 2)):
        gd2po = GD2PO(["a", "b"], [1, 3], rule="snr", threshold=threshold)
        combined = gd2po.combine(UNUSED, REWARDS, GROUPS)
        assert (combined == 0).sum() == dropped
        assert gd2po.metrics()["kept/a"] == pytest.approx(1 - dropped / 6)


def test_objective_of_weight_0_takes_no_side() -> None:
    gd2po = GD2PO(["a", "b"], [1, 0])
    assert (gd2po.combine(UNUSED, REWARDS, GROUPS) != 0).all()


def test_missing_reward_takes_no_side() -> None:
    rewards = REWARDS.clone()
    rewards[1, 1] = rewards[2, 0] = math.nan
    gd2po = GD2PO(["a", "b"])
    assert (gd2po.combine(UNUSED, rewards, GROUPS) != 0).all()
    assert gd2po.metrics()["kept/b"] == 1
    bare = REWARDS.clone()
    bare[0] = math.nan
    assert gd2po.combine(UNUSED, bare, GROUPS)[0] == 0
