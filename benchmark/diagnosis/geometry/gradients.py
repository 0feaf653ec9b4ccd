r"""Estimate the gradients of the objectives' values at a policy, and how they relate.

:math:`\nabla J_j = \mathbb{E}_x \mathbb{E}_y (r_j - b) \nabla \log \pi(y | x)`, b the mean reward
of the prompt's other completions (leave-one-out), which leaves the estimate unbiased.

An unbiased estimate :math:`\hat g = g + \epsilon` has :math:`\mathbb{E} \|\hat g\|^2 = \|g\|^2 +
\mathbb{E}\|\epsilon\|^2`: its squared norm is too large by its variance, summed over all
parameters. Two independent estimates have :math:`\mathbb{E} \langle \hat g, \hat g' \rangle =
\|g\|^2` exactly. So the prompts come in K batches, each with its own gradient, and all pairs of
different batches are used; with K = 2 they are two halves.

Axes: K batches of prompts, P prompts, n completions of each, M objectives; the scalarized objective
comes last wherever there are M + 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import Tensor
from torch.nn import Module

from benchmark.common.errors import CrosstalkError
from benchmark.interference.conflicts import gradient_cosines, magnitude_similarity
from benchmark.interference.intervals import Interval, mean_interval, paired_interval
from benchmark.models.policy.differentiation import differentiable
from benchmark.models.policy.gradients import ALL, Gradients, select_parameters
from benchmark.models.policy.logps import Batch, forward_of, token_logps

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
ROWS = 64  # completions in one graph


# ---- estimation --------------------------------------------------------------------------------


def leave_one_out(rewards: Tensor) -> Tensor:
    """Return rewards (P, n, M) less the mean of the prompt's other completions (P, n, M)."""
    samples = rewards.size(1)
    if samples < 2:
        raise ValueError(f"samples: expected 2 or more completions per prompt, got {samples}")
    return (rewards - rewards.mean(dim=1, keepdim=True)) * (samples / (samples - 1))


def cross_gramian(
    model: Module,
    batch: Batch,
    rewards: ArrayLike,
    batches: int,
    *,
    temperature: float = 1.0,
    parameters: str = ALL,
) -> Floats:
    """Return the inner products (K, M, K, M) of the gradients of M objectives on K batches.

    Cost: one forward pass over the completions, and one backward pass an objective. Memory: K·M
    gradients in the parameters' precision, and the graph of :data:`ROWS` completions.

    Args:
        model: The policy the completions were drawn from.
        batch: P·n completions, those of one prompt after one another.
        rewards: (P, n, M).
        batches: K; batch k has every K-th prompt.
        temperature: What the completions' logits were divided by.
        parameters: What gradients are taken by: see ``gradients.select_parameters``.
    """
    values = torch.as_tensor(np.asarray(rewards, dtype=float))
    prompts, samples, objectives = values.shape
    if prompts < batches:
        raise ValueError(f"batches: expected 2 to {prompts}, the number of prompts, got {batches}")
    advantages = leave_one_out(values)
    gradients = Gradients(model, select_parameters(model, parameters), batches * objectives)
    forward = forward_of(model, temperature)
    with torch.enable_grad(), differentiable(model):
        for k in range(batches):
            mine = torch.arange(k, prompts, batches)
            scale = 1 / (len(mine) * samples)
            rows = (mine[:, None] * samples + torch.arange(samples)).reshape(-1)
            scores = advantages[mine].reshape(-1, objectives) * scale
            for part, score in zip(rows.split(ROWS), scores.split(ROWS), strict=True):
                here = {key: value[part.to(value.device)] for key, value in batch.items()}
                logps = token_logps(forward, here).sum(dim=1)  # (b,) of whole completions
                for j in range(objectives):
                    loss = (score[:, j].to(logps) * logps).sum()
                    gradients.add(k * objectives + j, loss)
    shape = (batches, objectives, batches, objectives)
    return gradients.gramian().numpy().reshape(shape)


# ---- what their inner products say -------------------------------------------------------------


@dataclass(frozen=True)
class GradientGeometry:
    """The gradients of M objectives and of the scalarized one, last.

    A squared norm can be negative where the gradient is not told from 0. Cosines and similarities
    are NaN there; cosines, quotients of unbiased estimates, can lie outside [-1, 1].
    """

    gramian: Floats  # (M + 1, M + 1) unbiased inner products
    naive: Floats  # (M + 1, M + 1) of the mean gradients, biased upward on the diagonal
    cosines: Floats  # (M + 1, M + 1)
    similarity: Floats  # (M + 1, M + 1) of gradient magnitudes
    conflict: list[list[Interval]]  # (M, M) share of batches with a negative cosine
    squared_norms: list[Interval]  # M + 1
    pl_ratios: list[Interval]  # M + 1
    gaps: list[Interval]  # M + 1, of J* − J


def gradient_geometry(
    cross: ArrayLike, rewards: ArrayLike, upper: ArrayLike, weights: ArrayLike
) -> GradientGeometry:
    r"""Return the geometry of gradients at a policy.

    Intervals are Student's over batches of prompts: of norms and ratios by the jackknife over
    batches (Efron and Stein, *The jackknife estimate of variance*, 1981), which counts pairs of
    equal batches in no resample, as a bootstrap would.

    The empirical Polyak–Łojasiewicz ratio is :math:`\tfrac12 \|\nabla J\|^2 / (J^* - J)`, with J*
    the upper bound. It is NaN where the bound is infinite or the interval of J* − J holds 0.

    Args:
        cross: (K, M, K, M) from :func:`cross_gramian`.
        rewards: (P, n, M) that it was made from; batch k has every K-th prompt.
        upper: (M,) upper bounds J*.
        weights: (M,) of the scalarized objective.
    """
    products = with_scalarized(np.asarray(cross, dtype=float), np.asarray(weights, dtype=float))
    batches, rows = products.shape[:2]
    if batches < 2:
        raise CrosstalkError(f"batches: expected 2 or more independent ones, got {batches}")
    gaps = _gaps(rewards, upper, weights, batches)  # (K, M + 1)
    distances = [_interval_of_mean(gap) for gap in gaps.T]
    gramian = unbiased_gramian(products)
    norms = [_jackknife(partial(_norm, products, row), batches) for row in range(rows)]
    pl = [
        _jackknife(partial(_ratio, products, gaps, row), batches)
        if distances[row].low > 0
        else Interval(math.nan, math.nan, math.nan)
        for row in range(rows)
    ]
    return GradientGeometry(
        gramian=gramian,
        naive=products.mean(axis=(0, 2)),
        cosines=gradient_cosines(gramian),
        similarity=magnitude_similarity(_lengths(gramian)),
        conflict=_conflicts(products),
        squared_norms=norms,
        pl_ratios=pl,
        gaps=distances,
    )


def with_scalarized(cross: Floats, weights: Floats) -> Floats:
    """Return inner products (K, M + 1, K, M + 1): the scalarized objective's are linear in them."""
    mix = np.vstack([np.eye(len(weights)), weights])
    return np.asarray(np.einsum("ai,kilj,bj->kalb", mix, cross, mix))


def unbiased_gramian(cross: Floats) -> Floats:
    """Return the mean (M, M) over pairs of different batches of (K, M, K, M) inner products."""
    batches = len(cross)
    same = np.einsum("kikj->ij", cross)
    total = (cross.sum(axis=(0, 2)) - same) / (batches * (batches - 1))
    return np.asarray((total + total.T) / 2)


def _lengths(gramian: Floats) -> Floats:
    """Return the norms (M,) of gradients; NaN where a squared norm is not positive."""
    squares = np.diagonal(gramian)
    return np.sqrt(np.where(squares > 0, squares, math.nan))


def _norm(cross: Floats, row: int, kept: Indices) -> float:
    """Return the squared norm of a row's gradient from some batches."""
    return float(unbiased_gramian(cross[kept][:, :, kept])[row, row])


def _ratio(cross: Floats, gaps: Floats, row: int, kept: Indices) -> float:
    return 0.5 * _norm(cross, row, kept) / float(gaps[kept, row].mean())


def _jackknife(statistic: Callable[[Indices], float], batches: int) -> Interval:
    """Return a statistic of all batches with its jackknife interval; no bounds below 3 batches."""
    everything = np.arange(batches)
    estimate = statistic(everything)
    if batches < 3:
        return Interval(estimate, math.nan, math.nan)
    left_out = np.array([statistic(np.delete(everything, k)) for k in range(batches)])
    error = math.sqrt((batches - 1) * float(left_out.var()))
    return paired_interval(estimate, error, batches)


def _conflicts(cross: Floats) -> list[list[Interval]]:
    objectives = cross.shape[1] - 1
    same = np.einsum("kikj->kij", cross)
    negative = (same < 0).sum(axis=0)  # (M + 1, M + 1)
    return [
        [_share(int(negative[i, j]), len(cross)) for j in range(objectives)]
        for i in range(objectives)
    ]


def _share(count: int, batches: int) -> Interval:
    """Return a share with Wilson's interval, which has a width where all batches agree too."""
    bounds = stats.binomtest(count, batches).proportion_ci(method="wilson")
    return Interval(count / batches, float(bounds.low), float(bounds.high))


def _gaps(rewards: ArrayLike, upper: ArrayLike, weights: ArrayLike, batches: int) -> Floats:
    """Return J* − J (K, M + 1) by batches of prompts."""
    missing = np.asarray(upper, dtype=float) - np.asarray(rewards, dtype=float).mean(axis=1)
    w = np.asarray(weights, dtype=float)
    scalarized = missing[:, w != 0] @ w[w != 0]
    missing = np.column_stack([missing, scalarized])
    return np.stack([missing[k::batches].mean(axis=0) for k in range(batches)])


def _interval_of_mean(values: Floats) -> Interval:
    finite = np.isfinite(values).all()
    return mean_interval(values) if finite else Interval(math.inf, math.nan, math.nan)
