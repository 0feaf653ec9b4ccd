"""Measure a policy at a point: saturation, mass on optimal completions, curvature of an update."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import psutil
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import Tensor
from torch.nn import Module

from benchmark.common.errors import CrosstalkError
from benchmark.interference.intervals import Interval, mean_interval

SATURATED = 0.99  # largest probability from which a state counts as saturated
GRAPHS = 3  # activations kept: the forward pass, its backward pass, and that one's
VECTORS = 48  # of the parameters' size: copies in double precision, gradients, Lanczos'
DOUBLE = 8  # bytes

Floats = NDArray[np.float64]


class Saturation(NamedTuple):
    """Means over states of a policy's next-token distribution.

    Attributes:
        entropy: In nats.
        largest: The largest probability.
        saturated: Share of states whose largest probability is above :data:`SATURATED`.
    """

    entropy: float
    largest: float
    saturated: float


def saturation(logits: Tensor) -> Saturation:
    """Return how close a policy with logits (N, V) at N states is to a deterministic one."""
    logs = logits.double().log_softmax(dim=-1)
    largest = logs.amax(dim=-1).exp()
    entropy = torch.special.entr(logs.exp()).sum(dim=-1)
    return Saturation(
        float(entropy.mean()), float(largest.mean()), float((largest > SATURATED).double().mean())
    )


def check_rewards(rewards: ArrayLike, names: Sequence[str]) -> Floats:
    """Return rewards (P, n, M) as an array; raise if the geometry cannot be measured on them."""
    values = np.asarray(rewards, dtype=float)
    if values.shape[1] < 2:
        raise CrosstalkError(
            f"samples: expected 2 or more completions per prompt, got {values.shape[1]}, which has "
            "neither a covariance nor a leave-one-out baseline"
        )
    wrong = ~np.isfinite(values)
    if wrong.any():
        prompt, sample, objective = np.argwhere(wrong)[0]
        raise CrosstalkError(
            f"rewards of {names[objective]}: {int(wrong.sum())} are not finite, the first "
            f"{values[prompt, sample, objective]} of prompt {prompt}, completion {sample}"
        )
    return values


def optimal_mass(
    rewards: ArrayLike, upper: ArrayLike, weights: ArrayLike, *, tolerance: float = 1e-9
) -> list[Interval]:
    """Return the policy's mass on completions that reach the upper bound, from samples.

    Args:
        rewards: (P, n, M) of completions drawn from the policy.
        upper: (M,) the objectives' upper bounds; one that is infinite is reached by none, and its
            mass is NaN.
        weights: (M,) of the scalarized reward; its bound is the weighted sum of theirs.
        tolerance: Distance from the bound that counts as reaching it.

    Returns:
        M + 1 intervals, the scalarized reward's last: the mean over prompts of the share of their
        completions, with Student's interval over prompts; where all completions agree, with the
        exact binomial interval of one completion a prompt.
    """
    values, bounds = np.asarray(rewards, dtype=float), np.asarray(upper, dtype=float)
    w = np.asarray(weights, dtype=float)
    gaps = bounds - values  # (P, n, M)
    scalarized = np.where(w > 0, gaps, 0.0) @ w if np.isfinite(bounds[w > 0]).all() else math.inf
    last = np.broadcast_to(scalarized, gaps.shape[:2])[..., None]
    reached = np.concatenate([gaps, last], axis=2) <= tolerance
    shares = reached.mean(axis=1)  # (P, M + 1)
    known = [*np.isfinite(bounds), np.isfinite(last).all()]
    nothing = Interval(math.nan, math.nan, math.nan)
    return [_share(s) if k else nothing for s, k in zip(shares.T, known, strict=True)]


def _share(shares: Floats) -> Interval:
    """Return the mean of the prompts' shares (P,)."""
    found, prompts = mean_interval(shares), len(shares)
    if found.estimate not in (0.0, 1.0):
        return found
    bounds = stats.binomtest(round(prompts * found.estimate), prompts).proportion_ci()
    return Interval(found.estimate, float(bounds.low), float(bounds.high))


def update_curvature(
    before: ArrayLike, after: ArrayLike, first_order: ArrayLike, length: float
) -> Floats:
    r"""Return the curvature of objectives along an update, from their values.

    :math:`2 (\Delta J_j - d_j) / \|\Delta\theta\|^2`, where :math:`d_j = \nabla J_j^\top
    \Delta\theta`. By Taylor's theorem this is :math:`2 \int_0^1 (1 - a)\, \hat u^\top
    \nabla^2 J_j(\theta + a \Delta\theta)\, \hat u\, da` with :math:`\hat u` the update's direction.

    Yu et al., *Gradient Surgery for Multi-Task Learning*, https://arxiv.org/abs/2001.06782, define
    the multi-task curvature of a loss L as :math:`\int_0^1 \nabla L(\theta)^\top \nabla^2 L(\theta
    + a(\theta' - \theta)) \nabla L(\theta)\, da`: unweighted, and along the gradient of L, not
    normalised.

    Args:
        before: (M,) values before the update.
        after: (M,) values after it.
        first_order: (M,) :math:`d_j`, first-order changes along the whole update.
        length: :math:`\|\Delta\theta\|`; NaN is returned where it is 0.
    """
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    beyond = 2 * (change - np.asarray(first_order, dtype=float))
    return beyond / length**2 if length > 0 else np.full_like(beyond, math.nan)


def probe_bytes(model: Module, states: int, tokens: int) -> int:
    """Estimate the bytes that the spectrum of a logit Jacobian takes at N states of L tokens."""
    shape: Mapping[str, int] = model.config.to_dict()  # type: ignore[operator, union-attr]
    width = 12 * shape["hidden_size"] + 6 * shape["intermediate_size"]
    attention = 4 * shape["num_attention_heads"] * tokens
    activations = GRAPHS * states * tokens * shape["num_hidden_layers"] * (width + attention)
    logits = GRAPHS * states * shape["vocab_size"]
    parameters = sum(p.numel() for p in model.parameters())
    return DOUBLE * (activations + logits + VECTORS * parameters)


def check_memory(model: Module, states: int, tokens: int, available: int | None = None) -> None:
    """Raise if a probe batch needs more bytes than available; None for what the machine has."""
    room = psutil.virtual_memory().available if available is None else available
    needed = probe_bytes(model, states, tokens)
    if needed > room:
        raise CrosstalkError(
            f"probe batch: {states} states of {tokens} tokens need about {needed / 2**30:.3g} GiB, "
            f"{room / 2**30:.3g} GiB are free; take fewer or shorter states"
        )
