import math
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

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


# ---- what one advantage for all completions does in expectation ----------------------------------

LOGITS = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)  # of three whole completions
LENGTHS = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)  # their tokens
GRADES = torch.tensor([[1.0, 0.0], [0.0, 0.2], [0.5, 1.0]])  # and rewards
LONGEST = 4

Advantage = Callable[[Tensor], Tensor]  # completions drawn (B,) -> (B,)
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {  # what each token is divided by (B,)
    "grpo": lambda drawn: len(drawn) * LENGTHS[drawn],
    "dapo": lambda drawn: LENGTHS[drawn].sum().expand(len(drawn)),
    "dr_grpo": lambda drawn: torch.full((len(drawn),), float(len(drawn) * LONGEST)).double(),
}


def expected_gradient(loss: str, size: int, advantage: Advantage) -> Tensor:
    """Return the ascent direction on the logits, exactly: a sum over all batches of that size."""
    logits = LOGITS.clone().requires_grad_()
    logps = logits.log_softmax(dim=0)
    total = torch.zeros((), dtype=torch.float64)
    for batch in product(range(len(LOGITS)), repeat=size):
        drawn = torch.tensor(batch)
        own = advantage(drawn).double() / LOSSES[loss](drawn)
        total = total + logps[drawn].sum().exp().detach() * (own * logps[drawn]).sum()
    return torch.autograd.grad(total, logits)[0]


def gradient_of_mean(value: Callable[[Tensor], Tensor], size: int) -> Tensor:
    """Return the gradient of the mean over batches of a number that a batch has."""
    logits = LOGITS.clone().requires_grad_()
    logps = logits.log_softmax(dim=0)
    batches = [torch.tensor(batch) for batch in product(range(len(LOGITS)), repeat=size)]
    mean = torch.stack([logps[drawn].sum().exp() * value(drawn) for drawn in batches]).sum()
    return torch.autograd.grad(mean, logits)[0]


def one(drawn: Tensor) -> Tensor:
    return torch.ones(len(drawn))


def pama(drawn: Tensor) -> Tensor:
    rewards = GRADES[drawn]
    return PAMA(["a", "b"]).combine(rewards - rewards.mean(dim=0), rewards, torch.zeros(len(drawn)))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_constant_advantage_moves_nothing_by_a_fixed_loss(size: int) -> None:
    assert expected_gradient("dr_grpo", size, one).abs().max() < 1e-15


def test_a_constant_advantage_shortens_by_a_mean() -> None:
    for loss, size in (("grpo", 3), ("dapo", 1), ("dapo", 3)):
        lengths = (lambda drawn: LENGTHS[drawn[0]]) if loss == "grpo" else _tokens
        found = expected_gradient(loss, size, one)
        expected = gradient_of_mean(lambda drawn, count=lengths: 1 / count(drawn), size)
        torch.testing.assert_close(found, expected)
        assert found @ gradient_of_mean(_tokens, size) < -1e-3
    push = {loss: expected_gradient(loss, 6, one).norm() for loss in ("grpo", "dapo")}
    assert 0.7 / 6 < push["dapo"] / push["grpo"] < 1.3 / 6


def _tokens(drawn: Tensor) -> Tensor:
    return LENGTHS[drawn].sum()


@pytest.mark.parametrize("size", [2, 3])
def test_the_batch_decides_what_is_left_of_pama(size: int) -> None:
    found = expected_gradient("dr_grpo", size, pama)
    expected = gradient_of_mean(lambda drawn: pama(drawn)[0].double(), size) / (size * LONGEST)
    torch.testing.assert_close(found, expected)
    assert found.abs().max() > 1e-4
    found = expected_gradient("dapo", size, pama)
    by_tokens = gradient_of_mean(lambda drawn: pama(drawn)[0].double() / _tokens(drawn), size)
    torch.testing.assert_close(found, by_tokens)
