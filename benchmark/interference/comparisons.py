"""Compare algorithms: improvement over a baseline, ranks, significance.

The unit is the training seed, never the rollout; strata are those of ``interference.intervals``.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from benchmark.interference.bootstrap import as_cells, draw_seeds, spread_out
from benchmark.interference.intervals import (
    Floats,
    Interval,
    Intervals,
    half_width,
    mean_and_error,
)
from benchmark.interference.metrics import mean_rank
from benchmark.interference.shares import proportion_interval
from benchmark.interference.statistics import wins

AT_ONCE = 100  # resamples that are ranked together: ranking takes several times their memory


def improvement_interval(values: ArrayLike, baseline: ArrayLike, level: float = 0.95) -> Interval:
    """Return the probability that a method beats the baseline on a seed, with its interval.

    A seed says won, lost or tied, no more; so one seed gives 1 with an interval from 0.025, and of
    3 seeds all won the interval still holds 1/2. From 6 won of 6 on it does not. Seeds of strata
    count the same. Probability of improvement: Agarwal et al., *Deep Reinforcement Learning at the
    Edge of the Statistical Precipice*, https://arxiv.org/abs/2108.13264, there over unpaired runs.

    Both are (seed,) or (stratum, seed), higher is better; entry by entry the same seed.
    """
    return proportion_interval(wins(values, baseline), level)


def mean_p_value(strata: Iterable[ArrayLike]) -> float:
    """Return Student's two-sided p-value of a mean over strata being zero.

    For instance of a method's values less the baseline's on the same seeds. It is below 0.05
    exactly where ``intervals.stratified_mean_interval`` leaves out 0. NaN with one
    seed in a stratum, or where a value is not finite; 1 if all values are 0.
    """
    mean, error, freedom = mean_and_error(strata)
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean) / error, freedom))


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values corrected for their number; NaN stays NaN and is not counted.

    Comparisons below 0.05 afterwards include a false one in at most 5% of tables. Holm, *A Simple
    Sequentially Rejective Multiple Test Procedure*, https://www.jstor.org/stable/4615733. To bound
    the share of false ones instead, take ``scipy.stats.false_discovery_control``.
    """
    p_values = np.asarray(p_values, dtype=float)
    known = p_values[~np.isnan(p_values)]
    if ((known < 0) | (known > 1)).any():
        raise ValueError(f"p-values from {known.min():g} to {known.max():g}; expected 0 to 1")
    order = np.argsort(known)
    stepped = np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1))
    corrected = p_values.copy()
    corrected[~np.isnan(p_values)] = np.minimum(1, stepped)[np.argsort(order)]
    return corrected


def minimum_detectable_change(
    standard_error: float, degrees_of_freedom: float, *, power: float = 0.8, level: float = 0.95
) -> float:
    """Return the true mean that a two-sided Student test finds with a given probability.

    In units of the standard error, it is the noncentrality δ at which t with the given degrees of
    freedom exceeds its two-sided quantile, on the right side, with probability ``power``: 5.7
    with 3 seeds, 4.3 with 4, 3.8 with 5, 2.8 in the limit. NaN where the error is not known.

    The standard error is that of the mean change, for instance the standard deviation of the
    differences from the baseline over the root of the number of seeds, and its degrees of freedom
    then seeds less one. ``level`` is one less the probability of finding a change that is none.
    """
    if not (1 - level) / 2 < power < 1:
        raise ValueError(f"power {power:g}; expected above {(1 - level) / 2:g} and below 1")
    if not degrees_of_freedom >= 1 or np.isnan(standard_error):
        return float("nan")
    threshold = float(half_width(1.0, degrees_of_freedom, level))

    def excess(noncentrality: float) -> float:
        return float(stats.nct.sf(threshold, degrees_of_freedom, noncentrality)) - power

    bound = threshold
    while excess(bound) < 0:
        bound *= 1.5
    return float(standard_error * optimize.brentq(excess, 0, bound))


def mean_rank_intervals(
    strata: Sequence[ArrayLike],
    generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Intervals:
    """Return each algorithm's mean rank over all columns with its interval: (algorithm,).

    A column is a value of a stratum, for instance an objective on a model; algorithms are ranked in
    it by their means over seeds, 1 the best. The interval is made as in
    ``bootstrap.stratified_bootstrap`` (degrees of freedom: seeds less strata), with
    the same seeds drawn for all algorithms, and cut to the ranks there are.

    It is an approximation. Where algorithms hardly differ, the first and the last are estimated too
    near the middle, whatever the resampling: their intervals may hold in only 80% of cases, though
    over all algorithms they hold as they should (``dev/interval_coverage.py``).

    Args:
        strata: (algorithm, seed, value) each, higher is better; algorithms and seeds in one order.
        generator: Draws the seeds.
        level: Share of such intervals that should hold the rank of the true means.
        resamples: How often the seeds are drawn.
    """
    cells = as_cells(strata, "algorithm")
    estimate = mean_rank(np.concatenate([stratum.mean(axis=1) for stratum in cells], axis=1))
    counts = [stratum.shape[1] for stratum in cells]
    if min(counts) < 2 or np.isnan(estimate).any():
        return Intervals(estimate, np.full_like(estimate, np.nan), np.full_like(estimate, np.nan))
    drawn = _drawn_ranks(cells, generator, resamples)
    error = np.sqrt(np.mean((drawn - estimate) ** 2, axis=0))
    half = half_width(error, sum(counts) - len(counts), level)
    return Intervals(
        estimate, np.maximum(estimate - half, 1), np.minimum(estimate + half, len(estimate))
    )


def _drawn_ranks(
    strata: Sequence[Floats], generator: np.random.Generator, resamples: int
) -> Floats:
    """Return the mean ranks for drawn seeds: (resample, algorithm)."""
    means = []  # of each stratum (resample, algorithm, column)
    drawn = draw_seeds([stratum.shape[1] for stratum in strata], generator, resamples)
    for stratum, seeds in zip(strata, drawn, strict=True):
        count = stratum.shape[1]
        shares = (seeds[:, :, None] == np.arange(count)).mean(axis=1)  # (resample, seed)
        means.append(np.einsum("rs,asc->rac", shares, spread_out(stratum, axis=1)))
    everything: Floats = np.concatenate(means, axis=2)
    parts = [everything[k : k + AT_ONCE] for k in range(0, resamples, AT_ONCE)]
    return np.concatenate([mean_rank(part) for part in parts])
