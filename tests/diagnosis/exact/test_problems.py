import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.covariance import group_covariance, reward_covariance
from benchmark.diagnosis.exact.problems import (
    Problems,
    change,
    covariance,
    deviation,
    expectation,
    gradient,
    random_problems,
    third_moment,
    tilt,
    with_margin,
)

# One prompt: π = (1/2, 1/4, 1/4), r = (0, 4, 0), s = (0, 0, 2).
# E r = 1, E s = 1/2; centred r (-1, 3, -1), s (-1/2, -1/2, 3/2).
POLICY = np.array([[0.5, 0.25, 0.25]])
REWARDS = np.array([[[0.0], [4.0], [0.0]]])
SCORES = np.array([[0.0, 0.0, 2.0]])


def problems(seed: int, count: int = 3, **settings: float) -> Problems:
    return random_problems(count, np.random.default_rng(seed), **settings)  # type: ignore[arg-type]


def objectives_along(own: Problems, directions: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Return J_j (M,) of the first problem's step η d, its slope and its curvature at η = 0."""
    logits, direction = torch.tensor(own.logits[0]), torch.tensor(directions[0])
    rewards = torch.tensor(own.rewards[0])
    eta = torch.zeros((), dtype=torch.float64, requires_grad=True)
    policy = torch.softmax(logits + eta * direction, dim=-1)
    values = torch.einsum("py,pym->m", policy, rewards) / len(logits)
    slopes = [torch.autograd.grad(v, eta, create_graph=True)[0] for v in values]
    bends = [torch.autograd.grad(slope, eta, retain_graph=True)[0] for slope in slopes]
    return values.detach(), torch.stack(slopes).detach(), torch.stack(bends)


def test_moments_by_hand() -> None:
    np.testing.assert_allclose(expectation(POLICY, REWARDS), [1.0])
    # 1/2 (-1)(-1/2) + 1/4 (3)(-1/2) + 1/4 (-1)(3/2)
    np.testing.assert_allclose(covariance(POLICY, REWARDS, SCORES), [0.25 - 0.375 - 0.375])
    # 1/2 (-1)(1/4) + 1/4 (3)(1/4) + 1/4 (-1)(9/4)
    np.testing.assert_allclose(third_moment(POLICY, REWARDS, SCORES), [-0.125 + 0.1875 - 0.5625])
    np.testing.assert_allclose(gradient(POLICY, SCORES), [[-0.25, -0.125, 0.375]])
    np.testing.assert_allclose(deviation(POLICY, REWARDS), [np.sqrt(0.5 + 2.25 + 0.25)])


@pytest.mark.parametrize("seed", range(5))
def test_moments_are_the_tilts_derivatives(seed: int) -> None:
    own = problems(seed)
    values, slopes, bends = objectives_along(own, own.scores)
    np.testing.assert_allclose(expectation(own.policy, own.rewards)[0], values, rtol=1e-12)
    found = covariance(own.policy, own.rewards, own.scores)[0]
    np.testing.assert_allclose(found, slopes, rtol=1e-9, atol=1e-14)
    found = third_moment(own.policy, own.rewards, own.scores)[0]
    np.testing.assert_allclose(found, bends, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_match_automatic_differentiation(seed: int) -> None:
    own = problems(seed)
    logits = torch.tensor(own.logits, requires_grad=True)
    policy = torch.softmax(logits, dim=-1)
    (policy * torch.tensor(own.scores)).sum(dim=-1).mean(dim=-1).sum().backward()
    np.testing.assert_allclose(gradient(own.policy, own.scores), logits.grad, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_match_finite_differences(seed: int) -> None:
    own, step = problems(seed, count=1), 1e-5
    expected = np.zeros_like(own.logits)
    for index in np.ndindex(own.logits.shape):
        ends = []
        for sign in (1, -1):
            logits = own.logits.copy()
            logits[index] += sign * step
            policy = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
            ends.append(np.sum(policy * own.scores) / logits.shape[1])
        expected[index] = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(gradient(own.policy, own.scores), expected, atol=1e-10)


@pytest.mark.parametrize("eta", [1e-3, 0.1, 1.0, 10.0])
def test_a_tilt_is_a_step_on_the_logits(eta: float) -> None:
    own = problems(0)
    moved = torch.softmax(torch.tensor(own.logits + eta * own.scores), dim=-1).numpy()
    tilted = tilt(own.policy, own.scores, eta)
    np.testing.assert_allclose(tilted, moved, rtol=1e-10, atol=1e-15)
    difference = expectation(moved, own.rewards) - expectation(own.policy, own.rewards)
    found = change(own.policy, own.rewards, own.scores, eta)
    np.testing.assert_allclose(found, difference, rtol=1e-9, atol=1e-14)


def test_tiny_changes_keep_their_precision() -> None:
    own, eta = problems(1), 1e-12
    found = change(own.policy, own.rewards, own.scores, eta) / eta
    expected = covariance(own.policy, own.rewards, own.scores)
    np.testing.assert_allclose(found, expected, rtol=1e-8)  # a difference of values: some 1e-4


def test_random_problems_have_unit_variances() -> None:
    own = problems(2, count=20)
    np.testing.assert_allclose(deviation(own.policy, own.rewards), 1.0)
    np.testing.assert_allclose(deviation(own.policy, own.scores[..., None]), 1.0)
    flat = own.rewards.reshape(20, -1, 3)
    for rewards, scores in zip(flat, own.scores.reshape(20, -1), strict=True):
        weights, *_ = np.linalg.lstsq(rewards, scores, rcond=None)
        np.testing.assert_allclose(rewards @ weights, scores, atol=1e-12)
        assert weights.min() > 0
    assert np.ptp(problems(0, sharpness=0.0).policy) == 0


@pytest.mark.parametrize("margin", [-0.5, 0.001, 0.9])
def test_margins_are_set_exactly(margin: float) -> None:
    own = with_margin(problems(3, count=20), margin)
    np.testing.assert_allclose(covariance(own.policy, own.rewards, own.scores), margin, rtol=1e-9)
    np.testing.assert_allclose(deviation(own.policy, own.rewards), 1.0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    prompts=st.integers(1, 4),
    completions=st.integers(3, 9),
    sharpness=st.floats(0, 2),
)
def test_small_tilts_follow_the_covariance(
    seed: int, prompts: int, completions: int, sharpness: float
) -> None:
    own = random_problems(
        5,
        np.random.default_rng(seed),
        prompts=prompts,
        completions=completions,
        sharpness=sharpness,
    )
    law = covariance(own.policy, own.rewards, own.scores)
    moved = change(own.policy, own.rewards, own.scores, 1e-4)
    away = np.abs(law) > 0.01
    np.testing.assert_array_equal(np.sign(moved)[away], np.sign(law)[away])


# --- the estimates on samples ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_estimates_are_exact_for_uniform_policies(seed: int) -> None:
    own = problems(seed, count=1, sharpness=0.0)
    prompts, completions = own.scores.shape[1:]
    order = np.random.default_rng(seed).permutation(prompts * completions)
    groups = torch.tensor(np.repeat(np.arange(prompts), completions)[order])
    rewards = torch.tensor(own.rewards.reshape(-1, 3)[order])
    scores = torch.tensor(own.scores.reshape(-1)[order])
    expected = covariance(own.policy, own.rewards, own.scores)[0]
    np.testing.assert_allclose(group_covariance(rewards, scores, groups), expected, rtol=1e-10)
    sigma = [covariance(own.policy, own.rewards, own.rewards[..., k])[0] for k in range(3)]
    np.testing.assert_allclose(reward_covariance(rewards, groups), np.stack(sigma), atol=1e-13)
