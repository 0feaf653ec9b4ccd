"""Compute intervals of means and shares; the unit is the training seed, never the rollout.

A *stratum* holds the seeds of one place where algorithms are trained, for instance a model with an
objective set: an array (seed,), or (seed, value) with several values of each seed, which are then
never taken apart.

The intervals of means are Student's: they hold with 3 to 5 seeds, where the percentile bootstrap is
far too narrow (``dev/interval_coverage.py`` measures it and has the figures). A value that is not
finite makes an interval NaN; one seed in a stratum gives an estimate without bounds; seeds that all
agree give an interval of no width.
"""

from collections.abc import Iterable, Sequence
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


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


class Intervals(NamedTuple):
    """Several intervals: arrays of one shape."""

    estimate: Floats
    low: Floats
    high: Floats


def half_width(
    standard_error: ArrayLike, degrees_of_freedom: ArrayLike, level: float = 0.95
) -> Floats:
    """Return half the width of Student's two-sided interval, in the shape of its arguments.

    Degrees of freedom are observations less one (``inf`` for the normal distribution); where they
    are not positive the result is NaN. ``level`` is, here and below, the share of such intervals
    that hold the true value.
    """
    freedom = np.asarray(degrees_of_freedom, dtype=float)
    quantile = stats.t.ppf((1 + level) / 2, freedom)
    return np.asarray(quantile * np.asarray(standard_error, dtype=float))


def paired_interval(
    difference: float, standard_error: float, pairs: int, level: float = 0.95
) -> Interval:
    """Return the interval of a mean paired difference, for instance over prompts.

    The standard error is the standard deviation of the differences over the root of ``pairs``.
    """
    half = float(half_width(standard_error, pairs - 1, level))
    return Interval(difference, difference - half, difference + half)


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean of values (seed,) with Student's interval; one seed gives no bounds."""
    return stratified_mean_interval([values], level)


def stratified_mean_interval(strata: Iterable[ArrayLike], level: float = 0.95) -> Interval:
    """Return the mean over strata, each counting the same, with Student's interval.

    Strata are (seed,) or (seed, value) each; lengths may differ.
    """
    estimate, error, freedom = mean_and_error(strata)
    half = float(half_width(error, freedom, level))
    return Interval(estimate, estimate - half, estimate + half)


def mean_and_error(strata: Iterable[ArrayLike]) -> tuple[float, float, float]:
    """Return the mean over strata, its standard error and the error's degrees of freedom.

    The degrees are those of Welch, *The Generalization of "Student's" Problem when Several
    Different Population Variances are Involved*, https://doi.org/10.1093/biomet/34.1-2.28:
    (Σ_k v_k)² / Σ_k v_k² / (n_k − 1), with v_k the k-th stratum's share of the squared error and
    n_k its seeds. One seed in a stratum leaves the error unknown: NaN.
    """
    rows = [stratum.mean(axis=1) for stratum in as_strata(strata)]  # each (seed,)
    mean = float(np.mean([row.mean() for row in rows]))
    if not all(np.isfinite(row).all() for row in rows):
        return np.nan, np.nan, np.nan
    if min(len(row) for row in rows) < 2:
        return mean, np.nan, np.nan
    shares = np.array([row.var(ddof=1) / len(row) for row in rows]) / len(rows) ** 2
    return mean, float(np.sqrt(shares.sum())), satterthwaite(shares, [len(row) for row in rows])


def as_strata(strata: Iterable[ArrayLike]) -> list[Floats]:
    """Return the strata as (seed, value) arrays."""
    found = [np.asarray(stratum, dtype=float) for stratum in strata]
    if not found:
        raise ValueError("an interval needs at least one stratum of seeds, and there is none")
    for stratum in found:
        if stratum.ndim not in (1, 2) or not stratum.size:
            raise ValueError(
                f"a stratum has shape {stratum.shape}; expected (seed,) or (seed, value), not empty"
            )
    return [stratum.reshape(len(stratum), -1) for stratum in found]


def proportion_interval(shares: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean of shares between 0 and 1 with the interval of Clopper and Pearson.

    Unlike Student's it stays within 0 and 1 and never has no width: 3 successes in 3 seeds are
    consistent with any rate from 0.29, one in one seed with any from 0.025. It holds the true rate
    at least as often as its level says where each share is 0 or 1, also where rates differ between
    strata (Hoeffding, *On the Distribution of the Number of Successes in Independent Trials*,
    https://doi.org/10.1214/aoms/1177728178); shares in between vary less. Clopper and Pearson,
    *The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial*,
    https://doi.org/10.1093/biomet/26.4.404.

    Args:
        shares: One share a seed, any shape: 0 or 1, or in between, for instance the share of a
            run's objectives that are interfered with.
    """
    shares = np.asarray(shares, dtype=float)
    if not shares.size:
        raise ValueError("the interval of a share needs at least one seed, and there is none")
    if np.isnan(shares).any():
        return UNKNOWN
    if shares.min() < 0 or shares.max() > 1:
        raise ValueError(f"shares from {shares.min():g} to {shares.max():g}; expected 0 to 1")
    hits, misses, tail = float(shares.sum()), float((1 - shares).sum()), (1 - level) / 2
    low = stats.beta.ppf(tail, hits, misses + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, misses) if misses > 0 else 1.0
    return Interval(float(shares.mean()), float(low), float(high))


def satterthwaite(shares: Floats, seeds: Sequence[int]) -> float:
    """Return the degrees of freedom of a squared error that strata have shares (stratum,) in.

    Each stratum has more than one seed.
    """
    own = np.asarray(seeds, dtype=float) - 1
    spread = float((shares**2 / own).sum())
    return float(shares.sum()) ** 2 / spread if spread > 0 else float(own.sum())
