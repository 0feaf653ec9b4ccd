import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.advantages import ESTIMATORS, TOKEN_LEVEL, estimate_advantages
from benchmark.common.errors import CrosstalkError

WITH_BASELINE = sorted(ESTIMATORS.keys() - TOKEN_LEVEL)
# Prompt 5: scores (1, 3); prompt 2: scores (0, 0, 3); in mixed order.
SCORES = torch.tensor([1.0, 0.0, 3.0, 0.0, 3.0])
GROUPS = torch.tensor([5, 2, 5, 2, 2])


def trl_group_advantages(rewards: torch.Tensor, size: int) -> torch.Tensor:
    """TRL 1.16, sum_then_normalize with scale_rewards="group", on scalar rewards (B,)."""
    grouped = rewards.view(-1, size)
    mean = torch.nanmean(grouped, dim=1)
    deviations = (grouped - torch.nanmean(grouped, dim=1, keepdim=True)) ** 2
    variance = torch.nanmean(deviations, dim=1, keepdim=True)
    count = torch.sum(~torch.isnan(grouped), dim=1, keepdim=True)
    std = torch.sqrt(variance * (count / (count - 1))).squeeze(1)
    advantages = rewards - mean.repeat_interleave(size)
    return torch.nan_to_num(advantages / (std.repeat_interleave(size) + 1e-4), nan=0.0)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        # Group means 2 and 1; centred (-1, 1) and (-1, -1, 2).
        ("dr_grpo", [-1.0, -1.0, 1.0, -1.0, 2.0]),
        # Times 2 and 3/2.
        ("rloo", [-2.0, -1.5, 2.0, -1.5, 3.0]),
        # Over the unbiased std: sqrt(2 / 1) and sqrt(6 / 2).
        ("grpo", [-0.70706, -0.57732, 0.70706, -0.57732, 1.15463]),
        # Centred values over their std in the batch: sqrt(8 / 4).
        ("reinforce_plus_plus_baseline", [-0.70706, -0.70706, 0.70706, -0.70706, 1.41411]),
        # Mean 7/5, squared deviations .16 + 2 * 1.96 + 2 * 2.56 = 9.2; sqrt(9.2 / 4) = 1.516575.
        ("reinforce_plus_plus", [-0.26373, -0.92307, 1.05494, -0.92307, 1.05494]),
    ],
)
def test_estimator_by_hand(estimator: str, expected: list[float]) -> None:
    advantages = estimate_advantages(SCORES, GROUPS, estimator)
    assert advantages.tolist() == pytest.approx(expected, abs=1e-5)


def test_token_level_whitening_counts_tokens() -> None:
    scores, groups = torch.tensor([0.0, 1.0]), torch.tensor([0, 0])
    mask = torch.tensor([[1, 0, 0], [1, 1, 1]])
    # Tokens 0, 1, 1, 1: mean 3/4, unbiased variance (9/16 + 3/16) / 3 = 1/4.
    low, high = -0.75 / 0.5001, 0.25 / 0.5001
    advantages = estimate_advantages(scores, groups, "reinforce_plus_plus", mask)
    torch.testing.assert_close(advantages, torch.tensor([[low, 0.0, 0.0], [high, high, high]]))
    columns = estimate_advantages(scores[:, None], groups, "reinforce_plus_plus", mask)
    torch.testing.assert_close(columns, torch.tensor([[low], [high]]))


def test_mask_concerns_token_level_estimators_alone() -> None:
    mask = torch.tensor([[1, 1], [1, 0], [1, 0], [1, 1], [1, 1]])
    for estimator in WITH_BASELINE:
        with_mask = estimate_advantages(SCORES, GROUPS, estimator, mask)
        assert torch.equal(with_mask, estimate_advantages(SCORES, GROUPS, estimator))


@pytest.mark.parametrize("size", [2, 3, 8, 13])
@pytest.mark.parametrize("binary", [True, False])
def test_grpo_equals_trl_bit_for_bit(size: int, binary: bool) -> None:
    generator = torch.Generator().manual_seed(size)
    scores = torch.rand(32 * size, generator=generator)
    if binary:
        scores = scores.round() / 3
    scores[::7] = math.nan
    scores[:size] = math.nan
    groups = torch.arange(scores.numel()) // size
    expected = trl_group_advantages(scores, size)
    rows = scores.view(-1, size)
    equal = torch.tensor([len({x for x in row if x == x}) < 2 for row in rows.tolist()])
    expected = expected.masked_fill(equal.repeat_interleave(size), 0.0)  # TRL leaves rounding
    assert torch.equal(estimate_advantages(scores, groups, "grpo"), expected)
    assert torch.equal(estimate_advantages(scores[:, None], groups, "grpo")[:, 0], expected)


@pytest.mark.parametrize("estimator", WITH_BASELINE)
def test_a_lone_completion_has_no_advantage(estimator: str) -> None:
    scores, groups = torch.tensor([0.1, 0.9, 0.7, 0.3]), torch.tensor([0, 0, 1, 0])
    assert estimate_advantages(scores, groups, estimator)[2] == 0
    assert estimate_advantages(scores[2:3], groups[2:3], estimator).tolist() == [0.0]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_missing_scores_have_no_advantage(estimator: str) -> None:
    scores = torch.tensor([1.0, math.nan, 0.0, 3.0, math.nan, 0.0, 3.0])
    groups = torch.tensor([5, 5, 2, 5, 9, 2, 2])
    present = ~scores.isnan()
    advantages = estimate_advantages(scores, groups, estimator)
    assert advantages[~present].tolist() == [0.0, 0.0]
    torch.testing.assert_close(
        advantages[present], estimate_advantages(SCORES, GROUPS, estimator), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_objectives_are_estimated_on_their_own(estimator: str) -> None:
    matrix = torch.stack([SCORES, -2 * SCORES, SCORES.square()], dim=1)
    together = estimate_advantages(matrix, GROUPS, estimator)
    for column in range(3):
        alone = estimate_advantages(matrix[:, column], GROUPS, estimator)
        torch.testing.assert_close(together[:, column], alone)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6, width=32), st.integers(-3, 3)), min_size=1),
    st.sampled_from(sorted(ESTIMATORS)),
    st.randoms(use_true_random=False),
)
def test_advantages_follow_permutations(
    completions: list[tuple[float, int]], estimator: str, shuffler: object
) -> None:
    scores = torch.tensor([score for score, _ in completions], dtype=torch.float64)
    groups = torch.tensor([group for _, group in completions])
    order = list(range(len(completions)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    advantages = estimate_advantages(scores, groups, estimator)
    assert advantages.isfinite().all()
    shuffled = estimate_advantages(scores[order], groups[order], estimator)
    torch.testing.assert_close(shuffled, advantages[order], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_equal_scores_give_no_advantage(estimator: str) -> None:
    advantages = estimate_advantages(torch.full((6,), 0.5), torch.arange(6) // 3, estimator)
    assert advantages.tolist() == [0.0] * 6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rounding_is_no_advantage(estimator: str, dtype: torch.dtype) -> None:
    rewards = torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.3, 0.1]], dtype=dtype)
    scores = rewards.repeat(3, 1) @ torch.full((3,), 1 / 3, dtype=dtype)
    scores[1::3] = scores[::3] * (1 + torch.finfo(dtype).eps)
    assert len(scores.unique()) > 1
    assert estimate_advantages(scores, torch.arange(9) % 2, estimator).tolist() == [0.0] * 9


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_small_differences_are_advantages(estimator: str) -> None:
    scores = torch.tensor([0.5, 0.5 + 1e-5, 0.5, 0.5 + 1e-5])
    assert (estimate_advantages(scores, torch.arange(4) // 2, estimator) != 0).all()


def test_rloo_by_hand() -> None:
    scores = torch.tensor([0.2, 0.9, 0.4, 0.1])
    others = torch.stack([scores[torch.arange(4) != k].mean() for k in range(4)])
    advantages = estimate_advantages(scores, torch.zeros(4), "rloo")
    torch.testing.assert_close(advantages, scores - others)


def test_unknown_estimators_are_refused() -> None:
    with pytest.raises(CrosstalkError, match="unknown estimator 'rlo'; did you mean 'rloo'"):
        estimate_advantages(SCORES, GROUPS, "rlo")
