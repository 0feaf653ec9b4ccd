"""Compute intervals of means; the unit is the training seed, never the rollout.

A *stratum* holds the seeds of one place where algorithms are trained, for instance a model with an
objective set: an array (seed,), or (seed, value) with several values of each seed, which are then
never taken apart.

The intervals of means are Student's: they hold with 3 to 5 seeds, where the percentile bootstrap is
far too narrow (``dev/interval_coverage.py`` measures it and has the figures). A value that is not
finite makes an interval NaN; one seed in a stratum gives an estimate without bounds; seeds that all
agree give an interval of no width, unless they share an error (:func:`change_half_width`).
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


def joint_half_width(
    variance: ArrayLike,
    freedom: ArrayLike,
    shared: ArrayLike,
    shared_freedom: ArrayLike,
    level: float = 0.95,
) -> Floats:
    """Return half the width of an interval whose squared error has two independent parts.

    It is Cochran's: √(v₁ + v₂) times the mean of both parts' Student quantiles, weighted by v₁ and
    v₂ (*Approximate Significance Levels of the Behrens–Fisher Test*, Biometrics 20 (1964),
    191-195); but never less than that of v₁ alone. With Welch's degrees of freedom, 88% would hold
    where two seeds vary much.

    Args:
        variance: v₁, between seeds; NaN counts as none where there is one seed.
        freedom: Its degrees of freedom; where they are 0, there is no such part.
        shared: v₂, that all seeds share.
        shared_freedom: Its degrees of freedom.
        level: Share of such intervals that should hold the true value.
    """
    freedom = np.asarray(freedom, dtype=float)
    shared = np.asarray(shared, dtype=float)
    several = freedom > 0
    own = np.where(several, np.asarray(variance, dtype=float), 0.0)
    own_t = half_width(1.0, np.where(several, freedom, 1.0), level)
    shared_t = half_width(1.0, shared_freedom, level)
    total = own + shared
    weighted = own * own_t + np.where(shared == 0, 0.0, shared * shared_t)
    joint = weighted / np.sqrt(np.where(total == 0, 1.0, total))
    return np.asarray(np.maximum(joint, own_t * np.sqrt(own)))


def change_half_width(
    spread: ArrayLike, own: ArrayLike, seeds: ArrayLike, prompts: ArrayLike, level: float = 0.95
) -> Floats:
    """Return half the width of the interval of a mean change over seeds that share test prompts.

    Seed s changes an objective on prompt p by Δ + a_s + b_p + e_sp: a_s is what the training seed
    does, b_p what all seeds share on the prompt (the one evaluation of the initial policy, and how
    far the prompt can be moved), e_sp the rest. With S seeds and P prompts the mean's variance is

        σ_a²/S + σ_b²/P + σ_e²/(SP) = (σ_a² + σ_e²/P)/S + σ_b²/P.

    The first term is the variance between the seeds' changes over S: ``spread``²/S, with S − 1
    degrees of freedom. It does not fall short, but knows nothing of the second, which no number of
    seeds lowers. One run's squared standard error over its prompts, ``own``², is (σ_b² + σ_e²)/P:
    the second term and σ_e²/P too much. No table of changes tells σ_b from σ_e, so it is taken
    whole: nothing is left out, and what counts twice is at most what is seen between seeds
    (σ_e²/P ≤ σ_a² + σ_e²/P). The interval is exact where runs answer alike (σ_e = 0) and errs on
    the safe side elsewhere (``dev/interval_coverage.py`` has by how much). With one seed there is
    no first term: the interval is over prompts and says nothing of how much trainings vary.

    Args:
        spread: Standard deviation of the seeds' changes; not used where there is one seed.
        own: Root mean square over the seeds of the standard error over prompts.
        seeds: S.
        prompts: P.
        level: Share of such intervals that should hold the true value.
    """
    seeds = np.asarray(seeds, dtype=float)
    between = np.asarray(spread, dtype=float) ** 2 / seeds
    within = np.asarray(own, dtype=float) ** 2
    return joint_half_width(between, seeds - 1, within, np.asarray(prompts, dtype=float) - 1, level)


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


def stratified_change_interval(
    strata: Iterable[ArrayLike], shared: ArrayLike, prompts: float, level: float = 0.95
) -> Interval:
    """Return the mean over strata, each counting the same, whose seeds share an error.

    :func:`change_half_width` of several places, whose shared errors are independent. A stratum of
    one seed has the shared error alone.

    Args:
        strata: (seed,) or (seed, value) each.
        shared: Each stratum's standard error that its seeds share, (stratum,).
        prompts: Number of prompts that it is over.
        level: Share of such intervals that should hold the true value.
    """
    rows = [stratum.mean(axis=1) for stratum in as_strata(strata)]
    mean = float(np.mean([row.mean() for row in rows]))
    several = [row for row in rows if len(row) > 1]
    parts = np.array([row.var(ddof=1) / len(row) for row in several]) / len(rows) ** 2
    freedom = satterthwaite(parts, [len(row) for row in several]) if several else 0.0
    errors = np.asarray(shared, dtype=float)
    common = float((errors**2).sum()) / len(rows) ** 2
    half = float(joint_half_width(parts.sum(), freedom, common, prompts - 1, level))
    return Interval(mean, mean - half, mean + half)


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


def satterthwaite(shares: Floats, seeds: Sequence[int]) -> float:
    """Return the degrees of freedom of a squared error that strata have shares (stratum,) in.

    Each stratum has more than one seed.
    """
    own = np.asarray(seeds, dtype=float) - 1
    spread = float((shares**2 / own).sum())
    return float(shares.sum()) ** 2 / spread if spread > 0 else float(own.sum())
