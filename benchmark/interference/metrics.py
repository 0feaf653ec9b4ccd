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
AT_LIMIT = 0.98  # share of the longest completion at which a mean length is taken for the limit


def change(values: ArrayLike) -> Floats:
    """Return Δ_j = J_j(T) − J_j(0): (..., step, objective) -> (..., objective)."""
    values = np.asarray(values, dtype=float)
    return np.asarray(values[..., -1, :] - values[..., 0, :])


def fell(delta: ArrayLike, half: ArrayLike) -> NDArray[np.bool_]:
    """Say whether a change is below 0 by its interval, of half the width ``half``; NaN claims none.

    Any shapes that broadcast.
    """
    return np.asarray(np.asarray(delta, dtype=float) + np.asarray(half, dtype=float) < 0)


def rose(delta: ArrayLike, half: ArrayLike) -> NDArray[np.bool_]:
    """Say whether a change is above 0 by its interval: of ΔS, whether training succeeded."""
    return np.asarray(np.asarray(delta, dtype=float) - np.asarray(half, dtype=float) > 0)


def interference(
    delta: ArrayLike, half: ArrayLike, score_delta: ArrayLike, score_half: ArrayLike
) -> NDArray[np.bool_]:
    """Say which objectives were interfered with: they :func:`fell` although ΔS :func:`rose`.

    This is the one definition, of tables, marks, rates and files alike. The intervals are those of
    all evidence there is: over the prompts of one run, and of several over seeds and the prompts
    they share (``intervals.change_half_width``). Where one is unknown (NaN), nothing is claimed.

    Args:
        delta: Δ, (..., objective).
        half: Half the width of its interval, (..., objective).
        score_delta: ΔS, the scalarized score's change Σ_j w_j Δ_j, (...).
        score_half: Half the width of its interval, (...).
    """
    succeeded = rose(score_delta, score_half)
    return np.asarray(fell(delta, half) & succeeded[..., None])


def interfered_with(
    delta: ArrayLike,
    delta_se: ArrayLike,
    score_delta: ArrayLike,
    score_delta_se: ArrayLike,
    degrees_of_freedom: ArrayLike,
    level: float = 0.95,
) -> NDArray[np.bool_]:
    """Return :func:`interference` from standard errors, by Student's intervals: (run, objective).

    Args:
        delta: Δ, (run, objective).
        delta_se: Its standard errors, (run, objective).
        score_delta: ΔS, (run,).
        score_delta_se: Its standard errors, (run,).
        degrees_of_freedom: Of the standard errors, (run,) or one number for all: prompts less one
            for a single run.
        level: Level of the two-sided intervals.
    """
    freedom = np.asarray(degrees_of_freedom, dtype=float)
    halves = half_width(delta_se, freedom[..., None], level)
    return interference(delta, halves, score_delta, half_width(score_delta_se, freedom, level))


def collapsed(
    every_fell: ArrayLike, tokens: ArrayLike, initial_tokens: ArrayLike, limit: ArrayLike
) -> NDArray[np.bool_]:
    """Say which policies collapsed: every objective fell, or completions came to fill the limit.

    Args:
        every_fell: Whether all objectives are below 0 by their intervals, (run,).
        tokens: Mean length of a completion after training, (run,).
        initial_tokens: The same before training, (run,).
        limit: The longest completion allowed, (run,); NaN where it is not known.
    """
    full = AT_LIMIT * np.asarray(limit, dtype=float)
    filled = (np.asarray(tokens) >= full) & ~(np.asarray(initial_tokens) >= full)
    return np.asarray(np.asarray(every_fell, dtype=bool) | filled)


def worst_normalised_gain(
    delta: ArrayLike, scale: ArrayLike, initial: ArrayLike, lost: ArrayLike
) -> Floats:
    """Return min_j Δ_j / (J_j of training on j alone − J_j(0)): (..., objective) -> (...).

    1 is as good on every objective as training on it alone; 0 is what not moving gives, and below
    it an objective was given up. An objective that training on it alone did not raise has no scale
    (0): it leaves the minimum, unless it fell, for else what cannot be gained could be ruined for
    nothing. Then it counts as its relative loss does, Δ_j / max(J_j(0), 0.05). Scales are at least
    0.05 too. NaN where a scale is unknown, or where no objective has one.

    Args:
        delta: Δ, (..., objective).
        scale: What training on the objective alone gains; 0 if that is not above 0 by its interval,
            NaN if nothing was trained on it alone. (..., objective).
        initial: J(0), (..., objective).
        lost: Whether the objective fell by its interval, (..., objective).
    """
    scale, delta = np.asarray(scale, dtype=float), np.asarray(delta, dtype=float)
    values = delta / gain_denominator(scale, initial)
    counted = np.where((scale > 0) | np.asarray(lost, dtype=bool) | np.isnan(scale), values, np.inf)
    nothing = ~(scale > 0).any(axis=-1)
    return np.where(nothing, np.nan, counted.min(axis=-1))


def gain_denominator(scale: ArrayLike, initial: ArrayLike) -> Floats:
    """Return what :func:`worst_normalised_gain` divides changes by: (..., objective) alike."""
    scale = np.asarray(scale, dtype=float)
    relative = np.where(scale == 0, np.asarray(initial, dtype=float), scale)
    return np.asarray(np.maximum(relative, SEVERITY_FLOOR))


def interference_rate(interfered: ArrayLike) -> float:
    """Return the share of pairs interfered with: (run, objective) -> one number.

    Its interval over places: ``shares.cluster_interval``.
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
