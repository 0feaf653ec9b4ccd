import math

import pytest
import torch

from benchmark.scalarizers import PAMA

ADVANTAGES = torch.tensor([[1.0, 2.0], [-1.0, 3.0], [0.5, 0.25], [-2.0, -1.0]])
REWARDS, GROUPS = torch.zeros(4, 2), torch.zeros(4)


def test_batch_level_is_the_smallest_positive_mean() -> None:
    # Positive parts (1, 0, .5, 0) and (2, 3, .25, 0): means .375 and 1.3125.
    combined = PAMA(["a", "b"]).combine(ADVANTAGES, REWARDS, GROUPS)
    assert combined.tolist() == pytest.approx([0.375] * 4)


def test_completion_level_is_the_smallest_positive_part() -> None:
    combined = PAMA(["a", "b"], level="completion").combine(ADVANTAGES, REWARDS, GROUPS)
    assert combined.tolist() == [1.0, 0.0, 0.25, 0.0]


def test_inapplicable_objectives_are_left_out() -> None:
    rewards = REWARDS.clone()
    rewards[0, 0] = rewards[1, 0] = rewards[1, 1] = math.nan
    # Means (.5 + 0) / 2 and (2 + .25 + 0) / 3.
    combined = PAMA(["a", "b"]).combine(ADVANTAGES, rewards, GROUPS)
    # The second completion has no reward at all, and so no advantage.
    assert combined.tolist() == pytest.approx([0.25, 0.0, 0.25, 0.25])
    combined = PAMA(["a", "b"], level="completion").combine(ADVANTAGES, rewards, GROUPS)
    assert combined.tolist() == [2.0, 0.0, 0.25, 0.0]


@pytest.mark.parametrize("level", ["batch", "completion"])
def test_batch_without_any_reward_has_no_advantage(level: str) -> None:
    combined = PAMA(["a", "b"], level=level).combine(ADVANTAGES, REWARDS * math.nan, GROUPS)
    assert combined.tolist() == [0.0] * 4
