"""Summarise values over seeds.

The unit is the training seed, never the rollout. Every function is pure and takes its random
generator, where it needs one, as an argument.
"""

import numpy as np
from numpy.typing import ArrayLike

from benchmark.interference.intervals import Floats


def interquartile_mean(values: ArrayLike, axis: int | None = None) -> Floats:
    """Return the mean of what remains when the lowest and the highest quarter are left out.

    A quarter that is no whole number is rounded down, so of three values none is left out. NaN if a
    value is NaN. Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical
    Precipice*, https://arxiv.org/abs/2108.13264. Without an axis it is over all values.
    """
    values = np.asarray(values, dtype=float)
    if not values.size:
        raise ValueError("the interquartile mean needs at least one value, and there is none")
    along = values.ravel() if axis is None else np.moveaxis(values, axis, -1)
    ordered = np.sort(along, axis=-1)  # whole: NumPy sorts faster than it partitions
    cut = ordered.shape[-1] // 4
    kept = ordered[..., cut : ordered.shape[-1] - cut]
    unknown = np.isnan(ordered[..., -1])  # NaN comes last, among the values left out
    return np.where(unknown, np.nan, kept.mean(axis=-1))


def wins(values: ArrayLike, baseline: ArrayLike) -> Floats:
    """Return 1 where a value beats the baseline's, 1/2 for a tie, NaN where one is NaN."""
    values, baseline = np.asarray(values, dtype=float), np.asarray(baseline, dtype=float)
    if values.shape != baseline.shape or not values.size:
        raise ValueError(
            f"values of shape {values.shape} against a baseline of shape {baseline.shape}; "
            "allowed: two of one shape, not empty"
        )
    return np.asarray((1 + np.sign(values - baseline)) / 2)


def probability_of_improvement(values: ArrayLike, baseline: ArrayLike) -> float:
    """Return how often a method beats the baseline on the same seed; a tie counts one half.

    Both are (seed,) or (stratum, seed), higher is better; entry by entry the same seed. Its
    interval: :func:`benchmark.interference.comparisons.improvement_interval`.
    """
    return float(np.mean(wins(values, baseline)))
