"""Per-step statistics of the covariance law: values by hand, and what may not matter to them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.covariance import group_covariance
from benchmark.training.batch_law import (
    dominated_winner_rate,
    laid_out,
    negative_fraction,
    top_means,
)

NAN = math.nan
# Two prompts, of 2 and 3 completions, shuffled.
GROUPS = torch.tensor([7, 3, 7, 3, 7])
REWARDS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
SCORES = torch.tensor([3.0, 1.0, 2.0, 5.0, 2.0])


def batch(
    rewards: torch.Tensor = REWARDS, scores: torch.Tensor = SCORES
) -> tuple[torch.Tensor, torch.Tensor]:
    return laid_out(rewards, scores, GROUPS)


def test_a_batch_is_laid_out_by_prompt() -> None:
    rewards, scores = batch()
    assert scores.nan_to_num(-1).tolist() == [[1, 5, -1], [3, 2, 2]]
    assert rewards[1].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert rewards[0, 2].isnan().all()


def test_negative_fraction_by_hand() -> None:
    # Prompt 3: (+, 0). Prompt 7: first objective +, second mean((0,1,0)-1/3)*(3,2,2) = -1/9.
    assert negative_fraction(*batch()).tolist() == [0.0, 0.5]


def test_prompts_with_one_completion_do_not_count() -> None:
    rewards = REWARDS.clone()
    rewards[1, 1] = NAN  # leaves prompt 3 with one completion under the second objective
    assert negative_fraction(*batch(rewards)).tolist() == [0.0, 1.0]
    rewards[:, 1] = NAN
    assert negative_fraction(*batch(rewards))[1].isnan()


def test_top_means_by_hand() -> None:
    # One place a prompt: of prompt 3 the completion of score 5, of prompt 7 that of score 3.
    assert top_means(*batch()).tolist() == [1.0, 0.5]
    # Two of prompt 7's three: the best, and half each of the two that tie at 2.
    assert top_means(*batch(), 0.5).tolist() == [(1 + 0.5) / 2, (1 + (0 + 0.5) / 2) / 2]
    assert top_means(*batch(), 1.0).tolist() == pytest.approx(
        [(1 / 2 + 1 / 3) / 2, (1 + 1 / 3) / 2]
    )


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"share: expected .* got {share}"):
        top_means(*batch(), share)


def test_a_dominated_winner_is_counted() -> None:
    rewards = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    # Prompt 3's best (row 3) dominates; prompt 7's best (row 0) is dominated by rows 2 and 4.
    assert dominated_winner_rate(*batch(rewards)) == 0.5


def test_an_equal_completion_does_not_dominate() -> None:
    assert dominated_winner_rate(*batch(torch.ones(5, 2))) == 0.0


def test_without_a_winner_there_is_no_rate() -> None:
    assert math.isnan(dominated_winner_rate(*batch(scores=torch.ones(5))))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_weighted_sums_have_no_dominated_winner(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randint(0, 3, (24, 3), generator=generator).double()
    weights = torch.rand(3, generator=generator, dtype=torch.float64) + 0.01
    groups = torch.randint(0, 5, (24,), generator=generator)
    rate = dominated_winner_rate(*laid_out(rewards, rewards @ weights, groups))
    assert rate == 0.0 or math.isnan(rate)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_the_order_of_completions_plays_no_part(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randint(0, 2, (20, 2), generator=generator).float()
    scores = torch.randint(0, 4, (20,), generator=generator).float()
    groups = torch.randint(0, 4, (20,), generator=generator)
    order = torch.randperm(20, generator=generator)
    one = laid_out(rewards, scores, groups)
    two = laid_out(rewards[order], scores[order], groups[order])
    for statistic in (negative_fraction, top_means):
        torch.testing.assert_close(statistic(*one), statistic(*two), equal_nan=True)
    first, second = dominated_winner_rate(*one), dominated_winner_rate(*two)
    assert first == pytest.approx(second, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_negative_fraction_by_group_covariance(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards, scores = torch.randn(21, 2, generator=generator), torch.randn(21, generator=generator)
    groups = torch.arange(21) % 3
    own = [
        group_covariance(rewards[groups == g], scores[groups == g], groups[groups == g])
        for g in range(3)
    ]
    expected = (torch.stack(own) < 0).double().mean(dim=0)
    torch.testing.assert_close(negative_fraction(*laid_out(rewards, scores, groups)), expected)
