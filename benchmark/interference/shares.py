"""Compute intervals of shares: of trials won, and of things that come in clusters."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from benchmark.interference.intervals import UNKNOWN, Interval


def proportion_interval(shares: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean of shares between 0 and 1 with the interval of Clopper and Pearson.

    For trials that are won or lost each, such as seeds. Unlike Student's it stays within 0 and 1
    and never has no width: 3 successes in 3 seeds are consistent with any rate from 0.29, one in
    one seed with any from 0.025. It holds the true rate at least as often as its level says where
    each share is 0 or 1, also where rates differ between strata (Hoeffding, *On the Distribution of
    the Number of Successes in Independent Trials*, https://doi.org/10.1214/aoms/1177728178); a tie,
    half won, varies less. Clopper and Pearson, *The Use of Confidence or Fiducial Limits
    Illustrated in the Case of the Binomial*, https://doi.org/10.1093/biomet/26.4.404. Shares of
    several things that are no trials: :func:`cluster_interval`.

    Args:
        shares: One share a seed, any shape: 0 or 1, or 1/2 for a tie.
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


def cluster_interval(
    shares: ArrayLike, sizes: ArrayLike, clusters: Sequence[Hashable], level: float = 0.95
) -> Interval:
    """Return the mean of shares, each counting the same, with an interval over clusters of them.

    For instance the share of a place's objectives that are interfered with, over places, whose
    clusters are the models: objectives of one model are no independent trials, so neither their
    number nor that of the models is the number of trials. Korn and Graubard's interval is Clopper
    and Pearson's for the number n* of trials that would vary as the clusters do,

        n* = p (1 − p) / v · (t_{n−1} / t_{K−1})², at most n,

    with p the estimate, v its variance between the K clusters, n the number of things in all and t
    Student's quantiles (*Confidence Intervals for Proportions with Small Expected Number of
    Positive Counts Estimated from Survey Data*, Survey Methodology 24 (1998), 193-201). Where all
    shares are 0, or all are 1, v says nothing, and each cluster is one trial. One cluster gives an
    estimate without bounds.

    Args:
        shares: (place,), 0 to 1.
        sizes: How many things each is a share of, (place,).
        clusters: What each belongs to, (place,).
        level: Share of such intervals that should hold the true value.
    """
    shares, sizes = np.asarray(shares, dtype=float), np.asarray(sizes, dtype=float)
    if not shares.size:
        raise ValueError("the interval of a share needs at least one place, and there is none")
    if np.isnan(shares).any():
        return UNKNOWN
    estimate = float(shares.mean())
    _, which = np.unique(np.array([str(each) for each in clusters]), return_inverse=True)
    count = int(which.max()) + 1
    if count < 2:
        return Interval(estimate, np.nan, np.nan)
    if estimate in (0, 1):
        trials = float(count)
    else:
        off = np.bincount(which, shares - estimate)  # linearised: places differ in number
        variance = count / (count - 1) * float((off**2).sum()) / len(shares) ** 2
        tail, everything = (1 + level) / 2, float(sizes.sum())
        wider = float(stats.t.ppf(tail, everything - 1) / stats.t.ppf(tail, count - 1)) ** 2
        fitting = estimate * (1 - estimate) / variance * wider if variance > 0 else np.inf
        trials = min(fitting, everything)
    hits, misses, tail = estimate * trials, (1 - estimate) * trials, (1 - level) / 2
    low = stats.beta.ppf(tail, hits, misses + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, misses) if misses > 0 else 1.0
    return Interval(estimate, float(low), float(high))
