import numpy as np
import pytest
import torch

from benchmark.covariance import completion_weights, unclipped_fraction
from benchmark.diagnosis.exact.problems import (
    Floats,
    Problems,
    centred,
    change,
    covariance,
    expectation,
    gradient,
    random_problems,
    tilt,
)
from benchmark.diagnosis.exact.steps import (
    adam,
    clipped_surrogate,
    log_linear_natural_gradient,
    natural_gradient,
    vanilla_gradient,
)

ETA = 1e-6
CLIP = {"clip_low": 0.2, "clip_high": 0.3}


def problems(seed: int, sharpness: float = 1.0) -> Problems:
    return random_problems(4, np.random.default_rng(seed), sharpness=sharpness)


def drifted(own: Problems, seed: int, size: float = 0.4) -> Floats:
    noise = np.random.default_rng(seed).normal(size=own.scores.shape)
    return tilt(own.policy, own.scores + noise, size)


def value(logits: torch.Tensor, rewards: np.ndarray) -> torch.Tensor:
    """Return J summed over problems, to be differentiated: (N, P, Y), (N, P, Y)."""
    return (torch.softmax(logits, dim=-1) * torch.tensor(rewards)).sum(dim=-1).mean(dim=1).sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_natural_gradient_is_the_tilt_by_the_score(seed: int) -> None:
    own = problems(seed)
    direction = natural_gradient(own.policy, own.scores)
    for eta in (0.01, 1.0):
        np.testing.assert_allclose(
            tilt(own.policy, direction, eta), tilt(own.policy, own.scores, eta), rtol=1e-7
        )


@pytest.mark.parametrize("seed", range(3))
def test_the_natural_gradient_inverts_the_fisher_matrix(seed: int) -> None:
    own = problems(seed)
    logits = torch.tensor(own.logits[0, 0])
    scores = torch.autograd.functional.jacobian(lambda z: torch.log_softmax(z, dim=0), logits)
    fisher = torch.einsum("y,ya,yb->ab", torch.softmax(logits, dim=0), scores, scores).numpy()
    direction = natural_gradient(own.policy, own.scores)[0, 0]
    expected = gradient(own.policy, own.scores)[0, 0] * own.logits.shape[1]
    np.testing.assert_allclose(fisher @ direction, expected, atol=1e-10)


@pytest.mark.parametrize("features", [1, 5, 40])
def test_the_log_linear_step_projects_the_score(
    features: int,
) -> None:
    own, generator = problems(0), np.random.default_rng(1)
    phi = generator.normal(size=(*own.scores.shape, features))
    direction = log_linear_natural_gradient(own.policy, phi, own.scores)
    # The projection by weighted least squares, and the step on θ itself by differentiation.
    root = np.sqrt(own.policy[0] / own.policy.shape[1]).reshape(-1, 1)
    design = centred(own.policy, phi)[0].reshape(-1, features)
    target = centred(own.policy, own.scores[..., None])[0].reshape(-1, 1)
    theta, *_ = np.linalg.lstsq(root * design, root * target, rcond=1e-10)
    projected = (design @ theta).reshape(own.scores[0].shape)
    np.testing.assert_allclose(direction[0], projected, atol=1e-8)
    parameters = torch.zeros(features, dtype=torch.float64, requires_grad=True)
    policy = torch.softmax(torch.tensor(own.logits[0]) + torch.tensor(phi[0]) @ parameters, dim=-1)
    objective = (policy * torch.tensor(own.rewards[0, ..., 0])).sum(dim=-1).mean()
    (slope,) = torch.autograd.grad(objective, parameters)
    expected = covariance(own.policy, own.rewards, direction)[0, 0]
    assert slope.numpy() @ theta[:, 0] == pytest.approx(expected, abs=1e-10)


def test_a_complete_log_linear_policy_follows_the_score() -> None:
    own = problems(0)
    phi = np.random.default_rng(1).normal(size=(*own.scores.shape, 28))  # 4 prompts x (8 - 1)
    direction = log_linear_natural_gradient(own.policy, phi, own.scores)
    law = covariance(own.policy, own.rewards, own.scores)
    np.testing.assert_allclose(covariance(own.policy, own.rewards, direction), law, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_the_vanilla_step_squares_probabilities(seed: int) -> None:
    own = problems(seed)
    direction = vanilla_gradient(own.policy, own.scores)
    logits = torch.tensor(own.logits, requires_grad=True)
    (slopes,) = torch.autograd.grad(value(logits, own.scores), logits)
    np.testing.assert_allclose(direction, slopes * own.logits.shape[1], rtol=1e-9, atol=1e-14)
    both = centred(own.policy, own.rewards) * centred(own.policy, own.scores[..., None])
    expected = (own.policy[..., None] ** 2 * both).sum(axis=2).mean(axis=1)
    moved = change(own.policy, own.rewards, direction, ETA) / ETA
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_the_vanilla_step_can_contradict_the_covariance() -> None:
    # π = (.8, .1, .1), s centred (.1, .2, -1), r centred (.1, -1, .2): cov < 0 < Σ π² r s.
    policy = np.array([[0.8, 0.1, 0.1]])
    scores, rewards = np.array([[0.1, 0.2, -1.0]]), np.array([[[0.1], [-1.0], [0.2]]])
    assert covariance(policy, rewards, scores)[0] == pytest.approx(0.008 - 0.04)
    moved = change(policy, rewards, vanilla_gradient(policy, scores), ETA)[0]
    assert moved / ETA == pytest.approx(0.64 * 0.01 - 2 * 0.01 * 0.2, rel=1e-3)
    assert change(policy, rewards, scores, ETA)[0] < 0 < moved


def test_adams_first_step_is_that_of_torch() -> None:
    own = problems(0)
    logits = torch.tensor(own.logits, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3, maximize=True)
    value(logits, own.scores).backward()
    optimizer.step()
    expected = own.logits + 0.3 * adam(gradient(own.policy, own.scores))
    np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_adams_first_step_follows_the_scores_sign(seed: int) -> None:
    own = problems(seed)
    direction = adam(gradient(own.policy, own.scores))
    signs = np.sign(centred(own.policy, own.scores[..., None])[..., 0])
    expected = covariance(own.policy, own.rewards, signs)
    moved = change(own.policy, own.rewards, direction, ETA) / ETA
    np.testing.assert_allclose(moved, expected, atol=1e-4)


# --- the clipped surrogate -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_surrogates_gradient(seed: int) -> None:
    own = problems(seed)
    policy = drifted(own, seed)
    logits = torch.tensor(np.log(policy), requires_grad=True)
    ratio = torch.softmax(logits, dim=-1) / torch.tensor(own.policy)
    advantages = torch.tensor(centred(own.policy, own.scores[..., None])[..., 0])
    least = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.3) * advantages)
    (torch.tensor(own.policy) * least).sum(dim=-1).mean(dim=-1).sum().backward()
    clipped = clipped_surrogate(own.policy, policy, own.scores, **CLIP)
    assert 0 < clipped.clipped.mean() < 1
    np.testing.assert_allclose(gradient(policy, clipped.effective), logits.grad, atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_weights_and_clipping_match_the_estimates(seed: int) -> None:
    own = problems(seed, sharpness=0.0)
    policy = drifted(own, seed)
    clipped = clipped_surrogate(own.policy, policy, own.scores, **CLIP)
    logps = [torch.tensor(np.log(p[0])).reshape(-1, 1) for p in (policy, own.policy)]
    advantages = torch.tensor(clipped.advantages[0]).reshape(-1)
    mask = torch.ones_like(logps[0])
    weights = completion_weights(*logps, advantages, mask, **CLIP)
    np.testing.assert_allclose(weights, clipped.weights[0].reshape(-1), rtol=1e-10)
    fraction = unclipped_fraction(*logps, advantages, mask, **CLIP)
    assert 1 - fraction == pytest.approx(clipped.clipped[0])


@pytest.mark.parametrize("seed", range(3))
def test_the_surrogates_exact_covariance(
    seed: int,
) -> None:
    own = problems(seed)
    policy = drifted(own, seed)
    clipped = clipped_surrogate(own.policy, policy, own.scores, **CLIP)
    moved = change(policy, own.rewards, clipped.effective, ETA) / ETA
    exact = covariance(policy, own.rewards, clipped.effective)
    np.testing.assert_allclose(moved, exact, atol=1e-5)
    # The same over samples of the old policy, with rewards centred at the present one ...
    present = centred(policy, own.rewards)
    from_old = expectation(own.policy, present * clipped.weights[..., None])
    np.testing.assert_allclose(from_old, exact, atol=1e-12)
    # ... and what centring them at the old one gets wrong.
    drift = np.einsum("npy,npym->npm", policy - own.policy, own.rewards)
    mean_weight = np.sum(own.policy * clipped.weights, axis=-1, keepdims=True)
    estimated = covariance(own.policy, own.rewards, clipped.weights)
    np.testing.assert_allclose(estimated - exact, (drift * mean_weight).mean(axis=1), atol=1e-12)
    assert np.abs(estimated - exact).max() > 1e-3


def test_on_policy_all_three_covariances_agree() -> None:
    own = problems(0)
    clipped = clipped_surrogate(own.policy, own.policy, own.scores, **CLIP)
    assert clipped.clipped.max() == 0
    law = covariance(own.policy, own.rewards, own.scores)
    np.testing.assert_allclose(covariance(own.policy, own.rewards, clipped.weights), law, rtol=1e-9)
    found = covariance(own.policy, own.rewards, clipped.effective)
    np.testing.assert_allclose(found, law, rtol=1e-9)
