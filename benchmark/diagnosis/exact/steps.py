"""Update an enumerated policy by each rule: the direction d that it moves the logits in.

Every step z + η d on softmax logits is the exponential tilt of the policy by d. So the covariance
law holds for *d*, whatever the rule,

    ΔJ_j = η E_x Cov_x(r_j, d) + (η²/2) E_x κ₃(r_j, d, d) + O(η³),

and what is to be asked of a rule is whether Cov(r_j, d) has the sign of Cov(r_j, s). Axes as in
:mod:`benchmark.diagnosis.exact.problems`: N problems, P prompts, Y completions, D features.

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.diagnosis.exact.problems import Floats, centred, covariance, gradient

SMALLEST_CURVATURE = 1e-12  # eigenvalues of the Fisher matrix below this share of the largest are 0


def natural_gradient(policy: Floats, scores: Floats) -> Floats:
    """Return F⁺ ∂J_s/∂z for the logits z of each prompt: (N, P, Y) -> (N, P, Y).

    F = diag(π) - π πᵀ is a prompt's Fisher matrix (the 1/P of F and of the gradient cancel). It
    gives s up to a constant per prompt: the natural gradient *is* the tilt by the score.
    """
    fisher = policy[..., None] * np.eye(policy.shape[-1]) - policy[..., None] * policy[..., None, :]
    inverse = np.linalg.pinv(fisher, rcond=SMALLEST_CURVATURE, hermitian=True)
    own = gradient(policy, scores) * policy.shape[-2]
    return np.asarray((inverse @ own[..., None])[..., 0])


def log_linear_natural_gradient(policy: Floats, features: Floats, scores: Floats) -> Floats:
    """Return φ F⁺ ∂J_s/∂θ for a policy π ∝ exp(z + φ θ): (N, P, Y) -> (N, P, Y).

    F = E_x Cov_x(φ, φ) is the Fisher matrix of θ and ∂J_s/∂θ = E_x Cov_x(φ, s), so the direction is
    the score projected, by least squares under π, on the span of the policy's score functions
    φ - E_π φ, features φ (N, P, Y, D). The first-order change is the covariance with that
    projection, and not with s.
    """
    own = centred(policy, features)
    fisher = np.einsum("npy,npyd,npye->nde", policy, own, own) / policy.shape[-2]
    slopes = covariance(policy, features, scores)  # (N, D)
    inverse = np.linalg.pinv(fisher, rcond=SMALLEST_CURVATURE, hermitian=True)
    return np.einsum("npyd,nd->npy", own, (inverse @ slopes[..., None])[..., 0])


def vanilla_gradient(policy: Floats, scores: Floats) -> Floats:
    """Return P ∂J_s/∂z = π (s - E_π s), the gradient of each prompt's own value: (N, P, Y).

    Its first-order change is E_x Σ_y π² (r_j - J_j)(s - J_s): completions count by the *square* of
    their probability, so its sign can differ from the covariance's. The law is not claimed for it.
    """
    return gradient(policy, scores) * policy.shape[-2]


def adam(
    gradients: Floats, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Floats:
    """Return Adam's first step m̂ / (√v̂ + ε) from moments of zero, in any shape.

    Kingma & Ba, *Adam: A Method for Stochastic Optimization*, https://arxiv.org/abs/1412.6980. With
    both moments corrected it is g / (|g| + ε): nearly the sign of g. On softmax logits that is the
    sign of s - E_π s, and the first-order change nearly E_x Cov_x(r_j, sign(s - E_π s)). The
    gradients g are of what is to rise.
    """
    first = (1 - beta1) * gradients / (1 - beta1)
    second = (1 - beta2) * gradients**2 / (1 - beta2)
    return np.asarray(first / (np.sqrt(second) + epsilon))


@dataclass(frozen=True)
class Surrogate:
    """The clipped surrogate of PPO and GRPO at a policy π that has left π_old.

    L = E_x Σ_y π_old min(ρ Â, clip(ρ, 1 - ε_low, 1 + ε_high) Â), with Â = s - E_{π_old} s and
    ρ = π / π_old. Its gradient is E_{y~π}[Â 1 ∇log π] = E_{y~π_old}[w ∇log π], where 1 says which
    completions are not clipped and w = Â ρ 1. A natural gradient step on it is the tilt of the
    *present* policy by Â 1, so:

    * first-order exact: E_x Cov_{y~π}(r_j, Â 1), the covariance under the present policy with the
      score where it is not clipped; over samples of π_old that is E_{π_old}[(r_j - E_π r_j) w];
    * E_x Cov_{y~π_old}(r_j, w), as estimated from a batch of π_old with completion weights, centres
      rewards at π_old instead. It is off by E_x[(E_π r_j - E_{π_old} r_j) E_{π_old} w], which is
      zero at ρ = 1, of second order in π - π_old without clipping, of first order with it;
    * E_x Cov_{y~π}(r_j, s) leaves the clipping out: off by the covariance with the clipped part.
    """

    advantages: Floats  # Â (N, P, Y)
    kept: NDArray[np.bool_]  # 1 (N, P, Y)
    weights: Floats  # w (N, P, Y)
    clipped: Floats  # share of π_old's completions that are clipped (N,)

    @property
    def effective(self) -> Floats:
        """Â 1 (N, P, Y), the direction of the natural gradient step."""
        return self.advantages * self.kept


def clipped_surrogate(
    old: Floats, policy: Floats, scores: Floats, *, clip_low: float, clip_high: float
) -> Surrogate:
    """Return what the clipped surrogate makes of scores s (N, P, Y) at ``policy`` π (N, P, Y).

    Completions were sampled from ``old``, π_old (N, P, Y). One with Â < 0 is clipped where
    ρ < 1 - ε_low, one with Â ≥ 0 where ρ > 1 + ε_high.
    """
    advantages = centred(old, scores[..., None])[..., 0]
    ratio = policy / old
    kept = np.where(advantages >= 0, ratio <= 1 + clip_high, ratio >= 1 - clip_low)
    clipped = np.sum(old * ~kept, axis=-1).mean(axis=-1)
    return Surrogate(advantages, kept, advantages * ratio * kept, clipped)
