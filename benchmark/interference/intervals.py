"""Intervals of means, shares and ratios; the unit is the training seed, never the rollout.

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

from benchmark.common.errors import CrosstalkError

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

    Raises:
        CrosstalkError: There is no value.
    """
    return stratified_mean_interval([values], level)


def stratified_mean_interval(strata: Iterable[ArrayLike], level: float = 0.95) -> Interval:
    """Return the mean over strata, each counting the same, with Student's interval.

    Args:
        strata: (seed,) or (seed, value) each; lengths may differ.
        level: Share of such intervals that hold the true value.

    Raises:
        CrosstalkError: There is no stratum, or one is empty.
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

    Raises:
        CrosstalkError: There is no stratum, or one is empty.
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
    """Return the strata as (seed, value) arrays.

    Raises:
        CrosstalkError: There is no stratum, one is empty, or one has another number of axes.
    """
    found = [np.asarray(stratum, dtype=float) for stratum in strata]
    if not found:
        raise CrosstalkError("an interval needs at least one stratum of seeds, and there is none")
    for stratum in found:
        if stratum.ndim not in (1, 2) or not stratum.size:
            raise CrosstalkError(
                f"a stratum has shape {stratum.shape}; allowed: (seed,) or (seed, value), not empty"
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
        level: Share of such intervals that hold the true value.

    Raises:
        CrosstalkError: There is no share, or one lies outside 0 and 1.
    """
    shares = np.asarray(shares, dtype=float)
    if not shares.size:
        raise CrosstalkError("the interval of a share needs at least one seed, and there is none")
    if np.isnan(shares).any():
        return UNKNOWN
    if shares.min() < 0 or shares.max() > 1:
        raise CrosstalkError(f"shares from {shares.min():g} to {shares.max():g}; allowed: 0 to 1")
    hits, misses, tail = float(shares.sum()), float((1 - shares).sum()), (1 - level) / 2
    low = stats.beta.ppf(tail, hits, misses + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, misses) if misses > 0 else 1.0
    return Interval(float(shares.mean()), float(low), float(high))


def ratio_interval(values: ArrayLike, scale: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean of values over the mean of a scale that is itself known from seeds.

    For instance a normalised gain: Δ_j over what training on j alone gains on the same seeds. The
    bounds are the r for which Student's test does not tell the mean of ``values − r scale`` from 0,
    so they are right however few the seeds, and NaN (unbounded) where the scale itself cannot be
    told from 0. All NaN where the scale is not above 0. Fieller, *Some Problems in Interval
    Estimation*, https://doi.org/10.1111/j.2517-6161.1954.tb00159.x.

    Args:
        values: (seed,).
        scale: (seed,), entry by entry the same seed.
        level: Share of such intervals that hold the true ratio.

    Raises:
        CrosstalkError: They are not both (seed,), as long as each other, or there is no seed.
    """
    pairs = [np.asarray(part, dtype=float) for part in (values, scale)]
    shapes = [pair.shape for pair in pairs]
    if shapes[0] != shapes[1] or pairs[0].ndim != 1 or not pairs[0].size:
        raise CrosstalkError(f"a ratio of shapes {shapes}; allowed: (seed,) twice, not empty")
    (top, bottom), seeds = np.mean(pairs, axis=1), len(pairs[0])
    if not np.isfinite(pairs).all() or bottom <= 0:
        return UNKNOWN
    ratio = float(top / bottom)
    if seeds < 2:
        return Interval(ratio, np.nan, np.nan)
    spread = np.cov(pairs) / seeds * half_width(1.0, seeds - 1, level) ** 2
    square, cross = bottom**2 - spread[1, 1], top * bottom - spread[0, 1]
    if square <= 0:
        return Interval(ratio, np.nan, np.nan)
    root = np.sqrt(max(0.0, cross**2 - square * (top**2 - spread[0, 0])))
    return Interval(ratio, float((cross - root) / square), float((cross + root) / square))


def satterthwaite(shares: Floats, seeds: Sequence[int]) -> float:
    """Return the degrees of freedom of a squared error that strata have shares in.

    Args:
        shares: (stratum,).
        seeds: The strata's numbers of seeds; each more than 1.
    """
    own = np.asarray(seeds, dtype=float) - 1
    spread = float((shares**2 / own).sum())
    return float(shares.sum()) ** 2 / spread if spread > 0 else float(own.sum())
