r"""Find weights that keep every objective from falling to first order, or show there are none.

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_. Under a linear score s = R w the first-order changes are
proportional to :math:`\Sigma w`, :math:`\Sigma = E_x \mathrm{Cov}_x(R)`. With objectives in units
of their own deviation, :math:`C = D^{-1/2} \Sigma D^{-1/2}` and :math:`D = \mathrm{diag}\,\Sigma`,

.. math::
    t^* = \max_{u \in \Delta} \min_j (C u)_j = \min_{\lambda \in \Delta} \max_j (C \lambda)_j,

so that :math:`t^*` does not depend on the objectives' scales. :math:`\Sigma` has no negative
eigenvalue, so :math:`0 \le t^* \le 1`: above 0 the weights :math:`w_j \propto u_j / \sigma_j` make
every covariance positive, and at 0 there is a *perfect trade-off* :math:`\mu_j \propto \lambda_j /
\sigma_j` with :math:`\Sigma \mu = 0`: a weighted sum of rewards that no prompt's completions differ
in, so that one objective's gain is another's loss whatever the weights. (For two objectives
:math:`t^* = (1 + \rho)/2`, :math:`\rho` their correlation.) Any other rewards have :math:`t^* > 0`,
so that alone says little, and nothing of what training with those weights would come to.

Weights act on the rewards as training has them at the step, and what falls is measured as
evaluations have them. Where these differ, :math:`\Sigma_{jk} = E_x \mathrm{Cov}_x(r_j, r'_k)` has
evaluation's reward in its rows and training's in its columns; then :math:`t^*` may be below 0.

It is a statement on linear scores and the first order. Where rewards are divided by each prompt's
own deviation, as GRPO does, it holds for the score before that division.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from benchmark.covariance import best_weights

Floats = NDArray[np.float64]

SMALLEST_VARIANCE = 1e-16


class Certificate(NamedTuple):
    """The best that weights can do at a policy, to first order.

    Attributes:
        value: t*, the largest smallest normalised covariance; NaN if no objective varies.
        weights: w (M,) on the simplex that reach it; 0 for objectives that do not vary in training.
        trade_off: μ (M,) on the simplex, the dual solution: no w on the simplex makes every
            normalised covariance larger than ``value``, since this mixture of objectives has none.
    """

    value: float
    weights: Floats
    trade_off: Floats


class Deviations(NamedTuple):
    """Standard deviations of the rewards within prompts, (M,) each."""

    evaluated: Floats
    trained: Floats


def split(joint: ArrayLike) -> tuple[Floats, Deviations]:
    """Return Σ (M, M) and the deviations, from the covariance (2M, 2M) of both kinds of rewards.

    Evaluation's come first.
    """
    values = np.asarray(joint, dtype=float)
    count = len(values) // 2
    found = np.sqrt(np.maximum(np.diag(values), 0.0))
    return values[:count, count:], Deviations(found[:count], found[count:])


def certificate(covariance: ArrayLike, deviations: Deviations | None = None) -> Certificate:
    """Solve the programme for Σ (M, M), over the objectives that vary within some prompt.

    ``deviations`` are needed where training's rewards are not evaluation's.
    """
    sigma = np.asarray(covariance, dtype=float)
    normalised, rows, columns, own = _normalised(sigma, deviations)
    weights, trade_off = np.zeros(len(sigma)), np.zeros(len(sigma))
    if not normalised.size:
        return Certificate(np.nan, weights, trade_off)
    best = best_weights(torch.from_numpy(normalised))
    if best is None:
        return Certificate(np.nan, weights, trade_off)
    weights[columns] = _simplex(best.weights.numpy() / own.trained[columns])
    trade_off[rows] = _simplex(best.trade_off.numpy() / own.evaluated[rows])
    return Certificate(best.value, weights, trade_off)


def reached(
    covariances: ArrayLike, covariance: ArrayLike, deviations: Deviations | None = None
) -> float:
    r"""Return the smallest normalised covariance that a training signal has, comparable with t*.

    Any signal's covariances with the rewards are those of a linear score: with :math:`w =
    \Sigma^+ c` and :math:`u_j = \sigma_j w_j` the value is :math:`\min_j (c_j / \sigma_j) / \sum_j
    |u_j|`. For a linear score with positive weights that is :math:`\min_j (C u)_j` with u on the
    simplex; :math:`t^*` less it says how far the weights were from the best ones.

    Args:
        covariances: c (M,), each objective's covariance with the signal.
        covariance: Σ (M, M).
        deviations: Where training's rewards are not evaluation's.

    Returns:
        The value, at most t* where w has no negative entry; NaN if the signal covaries with no
        objective.
    """
    sigma, signal = np.asarray(covariance, dtype=float), np.asarray(covariances, dtype=float)
    normalised, rows, _, own = _normalised(sigma, deviations)
    if not normalised.size:
        return np.nan
    gains = signal[rows] / own.evaluated[rows]
    total = np.abs(np.linalg.pinv(normalised, rcond=1e-9) @ gains).sum()
    return float(gains.min() / total) if total > 0 else np.nan


def _normalised(
    sigma: Floats, deviations: Deviations | None
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], Deviations]:
    """Return C, of what varies: its rows and columns as masks (M,), and the deviations."""
    if deviations is None:
        deviations = Deviations(*(np.sqrt(np.maximum(np.diag(sigma), 0.0)),) * 2)
    rows, columns = (each**2 > SMALLEST_VARIANCE for each in deviations)
    scale = np.outer(deviations.evaluated[rows], deviations.trained[columns])
    return sigma[np.ix_(rows, columns)] / scale, rows, columns, deviations


def _simplex(values: Floats) -> Floats:
    positive = np.maximum(values, 0.0)
    return np.asarray(positive / positive.sum())
