import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.covariance import (
    completion_weights,
    group_correlation,
    group_covariance,
    reward_covariance,
    unclipped_fraction,
)

# Two prompts, in mixed order.
# Prompt 7: r = (1, 0), w = (2, 4); prompt 3: r = (1, 1, 4), w = (0, 3, 3).
REWARDS = torch.tensor([[1.0], [1.0], [0.0], [1.0], [4.0]])
WEIGHTS = torch.tensor([2.0, 0.0, 4.0, 3.0, 3.0])
GROUPS = torch.tensor([7, 3, 7, 3, 3])


def batch(seed: int, objectives: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return rewards, weights and groups of 12 prompts with 1 to 9 completions, shuffled."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), generator.integers(1, 10, 12))
    generator.shuffle(groups)
    rewards = generator.normal(size=(groups.size, objectives))
    weights = rewards.sum(axis=1) + generator.normal(size=groups.size)
    return torch.tensor(rewards), torch.tensor(weights), torch.tensor(groups)


def test_covariance_is_the_mean_over_prompts() -> None:
    # Prompt 7: centred r (.5, -.5), w (-1, 1): mean of products -.5.
    # Prompt 3: centred r (-1, -1, 2), w (-2, 1, 1): (2 - 1 + 2) / 3 = 1. Mean over prompts: .25.
    assert group_covariance(REWARDS, WEIGHTS, GROUPS).tolist() == pytest.approx([0.25])


def test_pooled_covariance_counts_completions() -> None:
    # Sums of products: -1 and 3, over 5 completions.
    assert group_covariance(REWARDS, WEIGHTS, GROUPS, pooled=True).tolist() == pytest.approx([0.4])


def test_correlation_is_the_mean_over_prompts() -> None:
    # Prompt 7: -1. Prompt 3: 1 / sqrt((1 + 1 + 4) / 3 * (4 + 1 + 1) / 3) = 1 / 2. Mean: -.25.
    assert group_correlation(REWARDS, WEIGHTS, GROUPS).tolist() == pytest.approx([-0.25])


def test_pooled_correlation_pools_moments() -> None:
    # Products -1 + 3 = 2; squares of r .5 + 6 = 6.5, of w 2 + 6 = 8: 2 / sqrt(52).
    pooled = group_correlation(REWARDS, WEIGHTS, GROUPS, pooled=True)
    assert pooled.tolist() == pytest.approx([2 / math.sqrt(52)])


@pytest.mark.parametrize("seed", range(5))
def test_estimates_match_numpy(seed: int) -> None:
    rewards, weights, groups = batch(seed)
    r, w, g = rewards.numpy(), weights.numpy(), groups.numpy()
    prompts = [g == p for p in np.unique(g) if (g == p).sum() > 1]
    joint = [np.cov(np.column_stack([r[p], w[p]]).T, bias=True) for p in prompts]
    correlations = [np.corrcoef(np.column_stack([r[p], w[p]]).T) for p in prompts]
    expected = np.mean(joint, axis=0)
    np.testing.assert_allclose(group_covariance(rewards, weights, groups), expected[-1, :-1])
    np.testing.assert_allclose(reward_covariance(rewards, groups), expected[:-1, :-1])
    np.testing.assert_allclose(
        group_correlation(rewards, weights, groups), np.mean(correlations, axis=0)[-1, :-1]
    )


@pytest.mark.parametrize("seed", range(3))
def test_linear_scores_have_covariance_sigma_w(seed: int) -> None:
    rewards, _, groups = batch(seed, objectives=5)
    preference = torch.tensor([0.4, 0.1, 0.2, 0.0, 0.3], dtype=torch.float64)
    covariance = group_covariance(rewards, rewards @ preference, groups)
    torch.testing.assert_close(covariance, reward_covariance(rewards, groups) @ preference)


def test_covariance_is_the_slope_under_tilting() -> None:
    """The law itself: d/dη of E r under π e^{ηs}, with each prompt's completions as its π."""
    rewards, scores, groups = batch(0)
    step = 1e-4

    def value(eta: float) -> torch.Tensor:
        means = []
        for prompt in groups.unique():
            mine = groups == prompt
            tilted = torch.softmax(eta * scores[mine], dim=0)
            if mine.sum() > 1:
                means.append(tilted @ rewards[mine])
        return torch.stack(means).mean(dim=0)

    slope = (value(step) - value(-step)) / (2 * step)
    torch.testing.assert_close(group_covariance(rewards, scores, groups), slope, rtol=0, atol=1e-6)


def test_reward_covariance_is_positive_semidefinite() -> None:
    rewards, _, groups = batch(1, objectives=8)
    sigma = reward_covariance(rewards, groups)
    assert torch.equal(sigma, sigma.T)
    assert torch.linalg.eigvalsh(sigma).min() > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e6])
def test_broken_and_huge_weights_are_dropped(bad: float) -> None:
    rewards = torch.cat([REWARDS, torch.tensor([[9.0]])])
    weights = torch.cat([WEIGHTS, torch.tensor([bad])])
    groups = torch.cat([GROUPS, torch.tensor([7])])
    assert group_covariance(rewards, weights, groups).tolist() == pytest.approx([0.25])
    assert group_correlation(rewards, weights, groups).tolist() == pytest.approx([-0.25])


def test_weights_beyond_100_medians_are_dropped() -> None:
    rewards, groups = torch.tensor([[0.0], [0.0], [1.0]]), torch.zeros(3)
    # Median 1. Kept: mean of r w minus product of means = 100/3 - 1/3 * 102/3 = 22.
    kept = group_covariance(rewards, torch.tensor([1.0, 1.0, 100.0]), groups)
    assert kept.tolist() == pytest.approx([22.0])
    dropped = group_covariance(rewards, torch.tensor([1.0, 1.0, 100.1]), groups)
    assert dropped.tolist() == [0.0]


def test_mostly_zero_weights_drop_nothing() -> None:
    """Groups without signal have weight 0; a median of 0 must not declare the rest outliers."""
    rewards = torch.tensor([[0.0], [0.0], [0.0], [0.0], [0.0], [1.0]])
    weights = torch.tensor([0.0, 0.0, 0.0, 0.0, -1.0, 1.0])
    # Prompts 0 and 1: 0; prompt 2: mean of (-.5 * -1, .5 * 1) = .5. Mean over prompts: 1/6.
    covariance = group_covariance(rewards, weights, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert covariance.tolist() == pytest.approx([1 / 6])


def test_inapplicable_rewards_touch_no_other_objective() -> None:
    second = torch.tensor([[math.nan], [1.0], [math.nan], [math.nan], [2.0]])
    covariance = group_covariance(torch.cat([REWARDS, second], dim=1), WEIGHTS, GROUPS)
    # Objective 2 applies to r = (1, 2) with w = (0, 3) of prompt 3: mean of (.75, .75).
    assert covariance.tolist() == pytest.approx([0.25, 0.75])
    sigma = reward_covariance(torch.cat([REWARDS, second], dim=1), GROUPS)
    # r_1 alone: (.25 + 2) / 2. Both, prompt 3: r_1 (1, 4), r_2 (1, 2): .75. r_2 alone: .25.
    assert sigma.flatten().tolist() == pytest.approx([1.125, 0.75, 0.75, 0.25])


@pytest.mark.parametrize(
    ("rewards", "weights", "groups"),
    [
        pytest.param([[1.0], [0.0]], [1.0, 2.0], [0, 1], id="one completion a prompt"),
        pytest.param([[1.0]], [1.0], [0], id="one completion"),
        pytest.param([[math.nan], [math.nan]], [1.0, 2.0], [0, 0], id="no reward applies"),
        pytest.param([[1.0], [0.0]], [math.nan, math.nan], [0, 0], id="no weight is finite"),
        pytest.param([[0.1]] * 3, [1.0, 2.0, 4.0], [0, 0, 0], id="equal rewards"),
        pytest.param([[1.0], [0.0], [0.5]], [100.1] * 3, [0, 0, 0], id="equal weights"),
        # Single precision misses the mean of these, which would look like a perfect correlation.
        pytest.param([[10000.1]] * 7, [10000.1] * 7, [0] * 7, id="equal rewards and weights"),
    ],
)
@pytest.mark.parametrize("pooled", [False, True])
def test_degenerate_batches_have_no_covariance(
    rewards: list[list[float]], weights: list[float], groups: list[int], pooled: bool
) -> None:
    arguments = torch.tensor(rewards), torch.tensor(weights), torch.tensor(groups)
    assert group_covariance(*arguments, pooled=pooled).tolist() == pytest.approx([0.0], abs=1e-12)
    assert group_correlation(*arguments, pooled=pooled).tolist() == [0.0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-100, 100), st.floats(0.01, 100), st.booleans())
def test_covariance_ignores_order_and_labels(
    seed: int, offset: float, scale: float, pooled: bool
) -> None:
    rewards, weights, groups = batch(seed, objectives=2)
    order = torch.randperm(groups.numel(), generator=torch.Generator().manual_seed(seed))
    moved = group_covariance(
        scale * rewards[order] + offset, weights[order], 100 - 3 * groups[order], pooled=pooled
    )
    torch.testing.assert_close(
        moved, scale * group_covariance(rewards, weights, groups, pooled=pooled)
    )


# A good completion with ratios (0.5, 1.3, 1), and a bad one with (0.7, 1.5) and a masked token.
RATIOS = torch.tensor([[0.5, 1.3, 1.0], [0.7, 1.5, 1.0]])
ADVANTAGES = torch.tensor([2.0, -1.0])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        # 2 * .5 and 2 * 1 stay, 2 * 1.3 is above 1.2; -1 * 1.5 stays, -1 * .7 is below .8.
        ("sum", [3.0, -1.5]),
        ("mean", [1.0, -0.75]),
        ("mean_unclipped", [1.5, -1.5]),
    ],
)
def test_completion_weights_drop_clipped_tokens(aggregate: str, expected: list[float]) -> None:
    weights = completion_weights(
        RATIOS.log(),
        torch.zeros(2, 3),
        ADVANTAGES,
        MASK,
        clip_low=0.2,
        clip_high=0.2,
        aggregate=aggregate,  # type: ignore[arg-type]
    )
    assert weights.tolist() == pytest.approx(expected)


def test_unclipped_fraction_counts_completion_tokens() -> None:
    arguments = RATIOS.log(), torch.zeros(2, 3), ADVANTAGES, MASK
    assert unclipped_fraction(*arguments, clip_low=0.2, clip_high=0.2) == pytest.approx(3 / 5)
    # With 0.35 above only 0.7 is clipped: 4 of 5; with the lower side off as well, nothing.
    assert unclipped_fraction(*arguments, clip_low=0.2, clip_high=0.35) == pytest.approx(4 / 5)
    assert unclipped_fraction(*arguments, clip_low=math.inf, clip_high=math.inf) == 1.0


def test_clipping_off_weighs_by_the_mean_ratio() -> None:
    weights = completion_weights(
        RATIOS.log(), torch.zeros(2, 3), ADVANTAGES, MASK, clip_low=math.inf, clip_high=math.inf
    )
    assert weights.tolist() == pytest.approx([2 * 2.8 / 3, -1.1])


def test_unchanged_policy_weighs_by_the_advantage() -> None:
    logps, mask = torch.randn(6, 5), torch.ones(6, 5, dtype=torch.bool)
    advantages = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0])
    weights = completion_weights(logps, logps, advantages, mask, clip_low=0.2, clip_high=0.2)
    torch.testing.assert_close(weights, advantages)
    per_token = advantages[:, None] * mask
    again = completion_weights(logps, logps, per_token, mask, clip_low=0.2, clip_high=0.2)
    torch.testing.assert_close(again, advantages)


def test_extreme_log_ratios_are_limited() -> None:
    new, old, mask = torch.tensor([[0.0]]), torch.tensor([[-1000.0]]), torch.ones(1, 1)
    weights = completion_weights(
        new, old, torch.tensor([1.0]), mask, clip_low=math.inf, clip_high=math.inf
    )
    assert weights.tolist() == pytest.approx([math.exp(20)])


def test_masked_tokens_may_hold_anything() -> None:
    new = torch.tensor([[0.0, math.nan], [0.0, math.nan], [0.0, 0.0]])
    mask = torch.tensor([[1, 0], [1, 1], [0, 0]])
    weights = completion_weights(
        new, torch.zeros(3, 2), torch.ones(3), mask, clip_low=0.2, clip_high=0.2
    )
    assert weights[[0, 2]].tolist() == [1.0, 0.0]
    assert weights[1].isnan()


def test_no_tokens_means_nothing_is_clipped() -> None:
    empty = torch.zeros(2, 3)
    assert unclipped_fraction(empty, empty, torch.ones(2), empty, clip_low=0.2, clip_high=0.2) == 1


def test_unknown_aggregate_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="unknown aggregate 'max'"):
        completion_weights(
            RATIOS,
            RATIOS,
            ADVANTAGES,
            MASK,
            clip_low=0.2,
            clip_high=0.2,
            aggregate="max",  # type: ignore[arg-type]
        )
