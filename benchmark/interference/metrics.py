"""Define interference: what training on several objectives did to each of them.

Pure functions on arrays, whose axes the docstrings name: *run* (one trained model), *step* (from 0,
the initial policy, to T, the final one), *objective*. ``...`` stands for any leading axes, such as
seeds. Values J are higher the better. A missing value (NaN) makes what is computed from it NaN,
never a claim; where there is nothing to sum up a ``ValueError`` says so.
"""

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from benchmark.interference.intervals import Floats, half_width

SEVERITY_FLOOR = 0.05  # keeps an initial value near 0 from blowing up a relative loss


def change(values: ArrayLike) -> Floats:
    """Return Δ_j = J_j(T) − J_j(0): (..., step, objective) -> (..., objective)."""
    values = np.asarray(values, dtype=float)
    return np.asarray(values[..., -1, :] - values[..., 0, :])


def interfered_with(
    delta: ArrayLike,
    delta_se: ArrayLike,
    score_delta: ArrayLike,
    score_delta_se: ArrayLike,
    degrees_of_freedom: ArrayLike,
    level: float = 0.95,
) -> NDArray[np.bool_]:
    """Say which objectives fell although training succeeded: (run, objective).

    Objective j is interfered with if Δ_j is below 0 by its interval while the scalarized score's
    change ΔS = Σ_j w_j Δ_j is above 0 by its own. Where an interval is unknown (NaN), nothing is
    claimed.

    Args:
        delta: Δ, (run, objective).
        delta_se: Its standard errors, (run, objective).
        score_delta: ΔS, (run,).
        score_delta_se: Its standard errors, (run,).
        degrees_of_freedom: Of the standard errors, (run,) or one number for all: prompts less one
            for a single run, seeds less one for a mean over seeds.
        level: Level of the two-sided Student intervals.
    """
    freedom = np.asarray(degrees_of_freedom, dtype=float)
    succeeded = np.asarray(score_delta) - half_width(score_delta_se, freedom, level) > 0
    fell = np.asarray(delta) + half_width(delta_se, freedom[..., None], level) < 0
    return np.asarray(fell & succeeded[..., None])


def interference_rate(interfered: ArrayLike) -> float:
    """Return the share of pairs interfered with: (run, objective) -> one number.

    Its interval over runs: ``intervals.proportion_interval`` of each run's share.
    """
    return float(np.mean(_some(interfered, "interference rate")))


def relative_loss(delta: ArrayLike, initial: ArrayLike) -> Floats:
    """Return max(0, −Δ_j) / max(J_j(0), 0.05): (..., objective) alike.

    Args:
        delta: Δ, (..., objective).
        initial: J(0), (..., objective).
    """
    losses = np.maximum(0.0, -np.asarray(delta, dtype=float))
    return np.asarray(losses / np.maximum(np.asarray(initial, dtype=float), SEVERITY_FLOOR))


def severity(delta: ArrayLike, initial: ArrayLike) -> float:
    """Return the mean relative loss over runs and objectives.

    Args:
        delta: Δ, (run, objective).
        initial: J(0), (run, objective).
    """
    return float(np.mean(_some(relative_loss(delta, initial), "severity")))


def worst_change(delta: ArrayLike) -> Floats:
    """Return min_j Δ_j: (..., objective) -> (...)."""
    return np.asarray(np.min(_some(delta, "worst change"), axis=-1))


def drop_from_best(values: ArrayLike) -> Floats:
    """Return max_t J_j(t) − J_j(T), never negative: (..., step, objective) -> (..., objective)."""
    values = _some(values, "drop from best")
    return np.asarray(values.max(axis=-2) - values[..., -1, :])


def normalised_gain(delta: ArrayLike, initial: ArrayLike, single: ArrayLike) -> Floats:
    """Return Δ_j over the gain of training on j alone; 1 loses nothing to the other objectives.

    NaN where training on j alone gained nothing, for then there is no scale.

    Args:
        delta: Δ, (..., objective).
        initial: J(0), (..., objective).
        single: J_j(T) of the ``single`` run for j, (..., objective).
    """
    scale = np.asarray(single, dtype=float) - np.asarray(initial, dtype=float)
    return np.asarray(np.asarray(delta, dtype=float) / np.where(scale > 0, scale, np.nan))


def interference_matrix(final: ArrayLike, initial: ArrayLike) -> Floats:
    """Return E_ij, the change of objective j when training on i alone: (..., i, j).

    Args:
        final: J_j(T) of the ``single`` run for i, (..., i, j).
        initial: J_j(0), (..., j).
    """
    final, initial = np.asarray(final, dtype=float), np.asarray(initial, dtype=float)
    return np.asarray(final - initial[..., None, :])


def delta_m_percent(final: ArrayLike, initial: ArrayLike) -> Floats:
    """Return Δm% = (100/M) Σ_j (J_j(T) − J_j(0)) / J_j(0): (..., objective) -> (...).

    Higher is better here, as in Maninis et al., *Attentive Single-Tasking of Multiple Tasks*,
    https://arxiv.org/abs/1904.08918; much of the literature turns the sign round, for instance
    Navon et al., *Multi-Task Learning as a Bargaining Game*, https://arxiv.org/abs/2202.01017.
    Both compare with single-task models, this with the initial policy. NaN where an initial value
    is not above 0: there is no scale at 0, and below it a rise would count as a fall.
    """
    initial = np.asarray(initial, dtype=float)
    relative = (np.asarray(final, dtype=float) - initial) / np.where(initial > 0, initial, np.nan)
    return np.asarray(100 * relative.mean(axis=-1))


def mean_rank(values: ArrayLike) -> Floats:
    """Return each algorithm's mean rank, 1 the best; ties share their average rank.

    Args:
        values: (..., algorithm, column), higher is better; a column is what algorithms are compared
            on, for instance an objective on a model. NaN in a column makes every result NaN.

    Returns:
        (..., algorithm).
    """
    values = _some(values, "mean rank")
    ranks = stats.rankdata(-values, method="average", axis=-2)
    return np.asarray(ranks.mean(axis=-1))


def set_hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Return the volume that points dominate beyond a reference point; NaN if a value is NaN.

    The reference is given, never derived from the points, so that volumes of methods compare.

    Args:
        points: (point, objective), for instance the final points a method reaches.
        reference: (objective,), for instance the initial point.
    """
    points, reference = np.asarray(points, dtype=float), np.asarray(reference, dtype=float)
    if points.ndim != 2 or not points.size or points.shape[1:] != reference.shape:
        raise ValueError(
            f"hypervolume of points {points.shape} beyond a reference {reference.shape}; "
            "allowed: (point, objective), not empty, and (objective,)"
        )
    if np.isnan(points).any() or np.isnan(reference).any():
        return float("nan")  # moocore would leave such a point out
    return float(moocore.hypervolume(points, ref=reference, maximise=True))


def hypervolume_gain(final: ArrayLike, initial: ArrayLike) -> float:
    """Return the hypervolume of one final point against the initial one; 0 if any objective fell.

    Args:
        final: J(T), (objective,).
        initial: J(0), (objective,).
    """
    return set_hypervolume(np.asarray(final, dtype=float)[None, :], initial)


def _some(values: ArrayLike, metric: str) -> Floats:
    """Return the values as an array; having none is an error."""
    values = np.asarray(values, dtype=float)
    if not values.size:
        raise ValueError(f"{metric}: no values (an array of shape {values.shape})")
    return values
