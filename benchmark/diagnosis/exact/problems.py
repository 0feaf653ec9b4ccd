"""Enumerate small softmax policies: every expectation of the covariance law, exactly.

A policy chooses among Y completions of each of P prompts, which are equally likely. Everything is
in double precision and takes any leading axes (``...``), such as many problems at once.

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problems:
    """N problems of M objectives, each with an initial policy.

    Random ones are scaled under their policy: every objective's reward, and the score, has a mean
    variance within prompts of 1. A step size then means the same in all of them (a step of 1 moves
    log-probabilities by about 1), and a covariance is the margin: from -1 to 1.
    """

    logits: Floats  # z (N, P, Y)
    rewards: Floats  # r (N, P, Y, M)
    scores: Floats  # s (N, P, Y)

    @property
    def policy(self) -> Floats:
        """The initial policy π (N, P, Y)."""
        return probabilities(self.logits)


def random_problems(
    count: int,
    generator: np.random.Generator,
    *,
    prompts: int = 4,
    completions: int = 8,
    objectives: int = 3,
    sharpness: float = 1.0,
) -> Problems:
    """Draw problems whose objectives agree, conflict or neither, with a linear score s = R w.

    Rewards are normal and mixed by a random matrix, so that objectives are correlated; the weights
    w are uniform on the simplex. ``sharpness`` is the standard deviation of the policy's logits; 0
    makes it uniform.
    """
    logits = sharpness * generator.normal(size=(count, prompts, completions))
    policy = probabilities(logits)
    mixing = generator.normal(size=(count, 1, objectives, objectives))
    rewards = generator.normal(size=(count, prompts, completions, objectives)) @ mixing
    rewards = rewards / deviation(policy, rewards)[:, None, None, :]
    weights = generator.dirichlet(np.ones(objectives), size=count)
    scores = np.einsum("npym,nm->npy", rewards, weights)
    scores = scores / deviation(policy, scores[..., None])[:, None, :]
    return Problems(logits, rewards, scores)


def with_margin(problems: Problems, margin: float) -> Problems:
    """Change the rewards so that every objective has covariance ``margin`` with the score.

    r_j becomes m s + sqrt(1 - m²) e_j, with e_j what the old reward does not share with the score
    (uncorrelated with it, unit variance). The score stays, and is then no longer linear in rewards.
    There have to be at least two objectives; m lies between -1 and 1.
    """
    policy = problems.policy
    own = centred(policy, problems.rewards)
    score = centred(policy, problems.scores[..., None])
    shared = covariance(policy, problems.rewards, problems.scores)[:, None, None, :]
    rest = own - shared * score
    rest = rest / deviation(policy, rest)[:, None, None, :]
    return replace(problems, rewards=margin * score + np.sqrt(1 - margin**2) * rest)


def probabilities(logits: Floats) -> Floats:
    """Return π = softmax(z) of each prompt: (..., P, Y) -> (..., P, Y)."""
    return np.asarray(softmax(logits, axis=-1))


def expectation(policy: Floats, values: Floats) -> Floats:
    """Return E_x E_{y~π(.|x)} of each column: (..., P, Y), (..., P, Y, M) -> (..., M)."""
    return np.asarray(np.einsum("...py,...pym->...m", policy, values) / policy.shape[-2])


def centred(policy: Floats, values: Floats) -> Floats:
    """Subtract each prompt's own mean under π: (..., P, Y), (..., P, Y, M) -> (..., P, Y, M)."""
    return np.asarray(values - np.einsum("...py,...pym->...pm", policy, values)[..., None, :])


def deviation(policy: Floats, values: Floats) -> Floats:
    """Return sqrt(E_x Var_x) of each column: (..., P, Y), (..., P, Y, M) -> (..., M)."""
    return np.sqrt(expectation(policy, centred(policy, values) ** 2))


def covariance(policy: Floats, rewards: Floats, scores: Floats) -> Floats:
    """Return E_x Cov_{y~π(.|x)}(r_j, s), the first derivative of J_j along the tilt by s.

    Of π (..., P, Y), r (..., P, Y, M) and s (..., P, Y): (..., M).
    """
    return expectation(policy, centred(policy, rewards) * centred(policy, scores[..., None]))


def third_moment(policy: Floats, rewards: Floats, scores: Floats) -> Floats:
    """Return E_x κ₃(r_j, s, s), the third cross central moment within prompts.

    It is the second derivative of J_j along the tilt by s. Axes as in :func:`covariance`.
    """
    return expectation(policy, centred(policy, rewards) * centred(policy, scores[..., None]) ** 2)


def gradient(policy: Floats, values: Floats) -> Floats:
    """Return ∂J/∂z = π (v - E_π v) / P of J = E_x E_π v: twice (..., P, Y) -> (..., P, Y)."""
    return policy * centred(policy, values[..., None])[..., 0] / policy.shape[-2]


def tilt(policy: Floats, direction: Floats, step_size: float) -> Floats:
    """Return π e^{η d} / Z: (..., P, Y), (..., P, Y) -> (..., P, Y).

    For a softmax policy this is the step z + η d on the logits.
    """
    return policy * (1 + growth(policy, direction, step_size))


def growth(policy: Floats, direction: Floats, step_size: float) -> Floats:
    """Return π' / π - 1 for the tilt π' of π by η d, without cancellation at small steps.

    η (d - E_π d) has to stay below some 700, where the exponential overflows.
    """
    exponent = step_size * centred(policy, direction[..., None])[..., 0]
    log_sum = np.log1p(np.sum(policy * np.expm1(exponent), axis=-1, keepdims=True))
    return np.expm1(exponent - log_sum)


def change(policy: Floats, rewards: Floats, direction: Floats, step_size: float) -> Floats:
    """Return the true ΔJ_j of the step z + η d, to full relative precision however small η.

    Of π before the step (..., P, Y), r (..., P, Y, M) and d (..., P, Y): (..., M).
    """
    gained = policy * growth(policy, direction, step_size)
    return expectation(gained, centred(policy, rewards))
