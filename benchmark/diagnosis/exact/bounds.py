"""Compute both sides of Polyak-Łojasiewicz (PL) bounds of enumerated softmax policies exactly.

PL bounds a gradient from below by the distance to the optimum, hence gradient ascent converges to
it. That is a statement on the scalarised objective, and says nothing of the objectives it is made
of. Axes: any number of states (``...``), Y actions.

Source: Mei, Xiao, Szepesvári & Schuurmans, *On the Global Convergence Rates of Softmax Policy
Gradient Methods*, https://arxiv.org/abs/2005.06392.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from benchmark.diagnosis.exact.problems import Floats, covariance, expectation, probabilities, tilt
from benchmark.diagnosis.exact.steps import vanilla_gradient

TIE = 1e-9  # values this close to the best are optimal too


class Bound(NamedTuple):
    """A bound holds where ``gradient`` is at least ``distance``; both (...)."""

    gradient: Floats
    distance: Floats


def unregularised_bound(logits: Floats, rewards: Floats) -> Bound:
    """Return ‖∇_z J‖ and π(a*)(J* - J) of each state: (..., Y), (..., Y) -> (...), (...).

    ∂J/∂z_{a*} = π(a*)(r(a*) - J) is one entry of the gradient, so the bound always holds; but π(a*)
    can be arbitrarily small, so no one μ serves all policies.
    """
    policy = probabilities(logits)
    value = np.sum(policy * rewards, axis=-1, keepdims=True)
    ascent = np.abs(policy * (rewards - value))
    largest = np.maximum(ascent.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    norm = largest[..., 0] * np.linalg.norm(ascent / largest, axis=-1)  # squares would underflow
    best = rewards.argmax(axis=-1)[..., None]
    gap = np.take_along_axis(rewards, best, axis=-1) - value
    return Bound(norm, (np.take_along_axis(policy, best, axis=-1) * gap)[..., 0])


def regularised_bound(logits: Floats, rewards: Floats, temperature: float) -> Bound:
    """Return ½‖∇_z J̃‖² and τ min_a π(a)² (J̃* - J̃) of each state, (..., Y), (..., Y) -> (...).

    J̃ = E_π[r - τ log π], with a temperature τ above 0, is largest at softmax(r/τ), where it is
    J̃* = τ log Σ_a e^{r(a)/τ}.
    With q = r - τ log π the gradient is π (q - E_π q), so ‖∇‖² ≥ min π² · max_a (q - E_π q)²; and
    J̃* - J̃ = τ KL(π, π*) ≤ (1/2τ) max_a (q - c)² for any constant c, since log-sum-exp bends by at
    most that. Together ½‖∇‖² ≥ τ min π² (J̃* - J̃). (By the range of q instead of its maximum, both
    steps gain a factor: 2τ holds as well. Here stands the constant of the source.)
    """
    logs = log_softmax(logits, axis=-1)
    policy = np.exp(logs)
    own = rewards - temperature * logs
    ascent = policy * (own - np.sum(policy * own, axis=-1, keepdims=True))
    best = log_softmax(rewards / temperature, axis=-1)
    # Terms of KL that are each at least 0, so that none of it is lost to cancellation.
    divergence = np.sum(np.maximum(policy * (logs - best - 1) + np.exp(best), 0.0), axis=-1)
    distance = temperature**2 * policy.min(axis=-1) ** 2 * divergence
    return Bound(0.5 * np.sum(ascent**2, axis=-1), distance)


def optimal_mass(policy: Floats, values: Floats) -> Floats:
    """Return π's mass on the best completions, mean over prompts: (..., P, Y, M) -> (..., M).

    Values are rewards or scores; completions within 1e-9 of a prompt's best are all optimal.
    """
    best = values >= values.max(axis=-2, keepdims=True) - TIE
    return expectation(policy, best.astype(float))


class Ascent(NamedTuple):
    """The path of a scalarised objective's ascent; rows are steps, from 0."""

    policies: Floats  # π (T+1, P, Y)
    score: Floats  # J_s (T+1,)
    objectives: Floats  # J_j (T+1, M)
    covariances: Floats  # E_x Cov(r_j, s) (T+1, M)
    mass: Floats  # on completions optimal for s, then for each r_j (T+1, 1+M)


def ascend(
    logits: Floats, rewards: Floats, weights: Floats, *, step_size: float, steps: int
) -> Ascent:
    """Follow the vanilla gradient of the scalarised objective s = R w from a policy.

    From logits z (P, Y), with rewards r (P, Y, M), weights w (M,) and a step size η for each
    prompt's own gradient, T steps.
    """
    scores = rewards @ weights
    path = [probabilities(logits)]
    for _ in range(steps):
        path.append(tilt(path[-1], vanilla_gradient(path[-1], scores), step_size))
    policies = np.stack(path)
    columns = np.concatenate([scores[..., None], rewards], axis=-1)
    values, mass = expectation(policies, columns), optimal_mass(policies, columns)
    return Ascent(
        policies, values[:, 0], values[:, 1:], covariance(policies, rewards, scores), mass
    )
