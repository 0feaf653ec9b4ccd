import math

import pytest
import torch

from benchmark.scalarizers import Linear


def test_score_is_the_weighted_sum() -> None:
    linear = Linear(["a", "b", "c"], [1, 1, 2])
    rewards = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 1.0]])
    # Weights 1/4, 1/4, 1/2: .25 + .25 and .25 + .5.
    assert linear.score(rewards).tolist() == [0.5, 0.75]


def test_inapplicable_rewards_add_nothing() -> None:
    linear = Linear(["a", "b"], [1, 3])
    scores = linear.score(torch.tensor([[1.0, math.nan], [math.nan, math.nan]]))
    assert scores[0] == 0.25
    assert scores[1].isnan()


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.2, 0.3, 0.5], [3, 0, 1]])
def test_score_equals_trl_bit_for_bit(weights: list[float]) -> None:
    rewards = torch.rand(257, 3, generator=torch.Generator().manual_seed(0))
    rewards[::5, 1] = math.nan
    # TRL 1.16: reward_weights as float32, then nansum of the products.
    normalised = torch.tensor([weight / sum(weights) for weight in weights], dtype=torch.float32)
    expected = (rewards * normalised.unsqueeze(0)).nansum(dim=1)
    assert torch.equal(Linear(["a", "b", "c"], weights).score(rewards), expected)
