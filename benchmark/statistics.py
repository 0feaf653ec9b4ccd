"""Intervals and comparisons; the unit is the training seed, never the rollout.

Every function is pure and takes its random generator, where it needs one, as an argument.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate between its two bounds; the bounds are NaN where nothing is known of them."""

    estimate: float
    low: float
    high: float


def half_width(
    standard_error: ArrayLike, degrees_of_freedom: ArrayLike, level: float = 0.95
) -> Floats:
    """Return half the width of Student's two-sided interval, in the shape of its arguments.

    Args:
        standard_error: Of the estimate.
        degrees_of_freedom: Observations less one (``inf`` for the normal distribution); NaN results
            where it is not positive.
        level: Share of such intervals that hold the true value.
    """
    freedom = np.asarray(degrees_of_freedom, dtype=float)
    quantile = stats.t.ppf((1 + level) / 2, freedom)
    return np.asarray(quantile * np.asarray(standard_error, dtype=float))


def paired_interval(
    difference: float, standard_error: float, pairs: int, level: float = 0.95
) -> Interval:
    """Return the interval of a mean paired difference, for instance over prompts.

    Args:
        difference: Mean of final minus initial value over the pairs.
        standard_error: Standard deviation of the differences over the square root of ``pairs``.
        pairs: Number of pairs (prompts).
        level: Share of such intervals that hold the true value.
    """
    half = float(half_width(standard_error, pairs - 1, level))
    return Interval(difference, difference - half, difference + half)


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean over seeds with Student's interval; one seed gives no bounds.

    Args:
        values: (seed,).
        level: Share of such intervals that hold the true value.
    """
    values = np.asarray(values, dtype=float)
    seeds = len(values)
    error = values.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else np.nan
    return paired_interval(float(values.mean()), float(error), seeds, level)


def interquartile_mean(values: ArrayLike, axis: int | None = None) -> Floats:
    """Return the mean of what remains when the lowest and the highest quarter are left out.

    A quarter that is no whole number is rounded down. Agarwal et al., *Deep Reinforcement Learning
    at the Edge of the Statistical Precipice*, https://arxiv.org/abs/2108.13264.

    Args:
        values: Any shape.
        axis: The axis to average over; None for all values together.
    """
    return np.asarray(stats.trim_mean(np.asarray(values, dtype=float), 0.25, axis=axis))


def stratified_bootstrap(
    strata: Sequence[ArrayLike],
    statistic: Callable[..., Floats],
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Return a statistic of all values with its percentile interval over seeds.

    Seeds are drawn anew within each stratum, so each keeps its number of them (Agarwal et al.,
    *Deep Reinforcement Learning at the Edge of the Statistical Precipice*,
    https://arxiv.org/abs/2108.13264). With few seeds such intervals are too narrow: in simulations
    with 3 normal strata those of level 0.95 held the true mean in 83% of cases with 3 seeds, 89%
    with 5 and 93% with 10.

    Args:
        strata: One (seed,) array a stratum, for instance a model; lengths may differ.
        statistic: Takes ``(array, axis=...)``, for instance ``np.mean``.
        generator: Draws the seeds.
        level: Share of such intervals that should hold the true value.
        resamples: How often the seeds are drawn.
    """
    drawn = []  # of each stratum (resample, seed)
    for stratum in (np.asarray(values, dtype=float) for values in strata):
        drawn.append(stratum[generator.integers(len(stratum), size=(resamples, len(stratum)))])
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1), axis=1), tails)
    everything = np.concatenate([np.asarray(values, dtype=float) for values in strata])
    return Interval(float(statistic(everything, axis=0)), float(low), float(high))


def probability_of_improvement(values: ArrayLike, baseline: ArrayLike) -> float:
    """Return how often a method beats the baseline on the same seed; a tie counts one half.

    Args:
        values: The method's values, higher is better: (seed,) or (stratum, seed).
        baseline: The baseline's values, alike; entry by entry the same seed.
    """
    values, baseline = np.asarray(values, dtype=float), np.asarray(baseline, dtype=float)
    return float(np.mean((values > baseline) + 0.5 * (values == baseline)))
