"""Find the intervals of changes, severity, interference rates and mean ranks over all places.

Each place (a model with an objective set) counts the same, in estimates and intervals alike; in a
place, each run and objective does. Intervals are over seeds, with the error that the seeds of a
place share (:func:`benchmark.interference.intervals.change_half_width`). Where a place has one seed
they say nothing about how much trainings vary.
"""

import numpy as np
import pandas
from numpy.typing import ArrayLike
from scipy import stats

from benchmark.interference.comparisons import mean_rank_intervals
from benchmark.interference.intervals import Interval, stratified_change_interval
from benchmark.interference.metrics import gain_denominator, mean_rank, relative_loss
from benchmark.interference.shares import cluster_interval
from benchmark.leaderboard.results.evidence import PLACE, RUN

SEED = 20_260  # of the resampling; the same runs give the same bytes
RESAMPLES = 1000
AT_ONCE = 100  # resamples of a whole study held in memory


def numbered(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return rows of ``cells`` with numbers that tell their ``place``, ``pair`` and ``run`` apart.

    A pair is a place and an objective. What follows goes by the numbers, not by many texts.
    """
    keys = {"place": PLACE, "pair": [*PLACE, "objective"], "run": RUN}
    return cells.assign(**{n: cells.groupby(k, sort=False).ngroup() for n, k in keys.items()})


def rate_interval(group: pandas.DataFrame, verdict: str = "interfered") -> Interval:
    """Return the share of an algorithm's objectives with a verdict, with its interval over models.

    The mean over places of each one's share; ``shares.cluster_interval``. Here and below, ``group``
    has the algorithm's rows of :func:`numbered` cells.
    """
    pairs = group[["place", "pair", "model", verdict]].drop_duplicates("pair")
    places = pairs.groupby("place", sort=False)
    share = places[verdict].mean()
    return cluster_interval(share, places.size(), list(places["model"].first()))


def severity_interval(group: pandas.DataFrame) -> Interval:
    """Return the mean over places of the mean relative loss, with its interval.

    What a loss shares with the others of its place is the error of the change over the initial
    value, to first order: as much of it as lies below 0, Φ(−Δ/error). Errors of a place's
    objectives count as if they went together, which none can exceed.
    """
    losses = relative_loss(group["delta"], group["initial"])
    errors = group["delta_se"].to_numpy()
    delta = group["delta"].to_numpy()
    below = np.where(errors == 0, delta < 0, stats.norm.cdf(-delta / np.where(errors, errors, 1)))
    per = gain_denominator(np.zeros(len(group)), group["initial"])
    return _over_places(group, losses, below * errors / per)


def gain_interval(group: pandas.DataFrame) -> Interval:
    """Return the mean over places of the scalarized score's change, with its interval."""
    return _over_places(group, group["score_delta"], group["score_delta_se"])


def loss_interval(group: pandas.DataFrame) -> Interval:
    """Return the mean over places of the runs' worst change, with its interval.

    The error shared by a place's seeds is that of the objective that changed for the worst.
    """
    worst = group["delta"] == group["worst_change"]
    rows = group.loc[worst, ["place", "run", "worst_change", "delta_se", "prompts"]]
    rows = rows.drop_duplicates("run")
    return _over_places(rows, rows["worst_change"], rows["delta_se"])


def _over_places(group: pandas.DataFrame, values: ArrayLike, errors: ArrayLike) -> Interval:
    """Return the mean over places of values of rows, with the interval over seeds and prompts."""
    _, first, run = np.unique(group["run"], return_index=True, return_inverse=True)
    sizes = np.bincount(run)
    parts = (np.asarray(each, dtype=float) for each in (values, errors))
    found, errors = (np.bincount(run, part) / sizes for part in parts)
    _, place = np.unique(group["place"].to_numpy()[first], return_inverse=True)
    shared = np.sqrt(np.bincount(place, errors**2) / np.bincount(place))
    strata = [found[place == k] for k in range(len(shared))]
    return stratified_change_interval(strata, shared, float(group["prompts"].min()))


def rank_intervals(
    competitors: pandas.DataFrame, common: pandas.DataFrame
) -> dict[str, dict[str, float]]:
    """Return ``mean_rank`` with ``…_low`` and ``…_high``, each by algorithm.

    ``common`` holds the competitors' final values, means over seeds: (algorithm, column).
    """
    if not common.size:
        return {name: {} for name in ("mean_rank", "mean_rank_low", "mean_rank_high")}
    estimate = mean_rank(common)
    generator = np.random.default_rng(SEED)
    strata = _strata(competitors, common)
    if strata and min(stratum.shape[1] for stratum in strata) > 1:
        found = mean_rank_intervals(strata, generator, resamples=RESAMPLES)
        low, high = np.asarray(found.low), np.asarray(found.high)
    else:
        low, high = _over_prompts(competitors, common, generator)
    columns = {"mean_rank": estimate, "mean_rank_low": low, "mean_rank_high": high}
    return {n: dict(zip(common.index, v, strict=True)) for n, v in columns.items()}


def _strata(competitors: pandas.DataFrame, common: pandas.DataFrame) -> list[np.ndarray]:
    """Return (algorithm, seed, column) of every place, for the seeds that all algorithms have."""
    places = {column[:-1] for column in common.columns}
    keys = [*PLACE, "algorithm", "seed", "objective"]
    finals = competitors.groupby(keys, sort=False)["final"].mean().dropna()
    wide = finals.unstack("objective", sort=False)
    values = wide.to_numpy()
    algorithms = common.index.get_indexer(wide.index.get_level_values("algorithm"))
    seeds = wide.index.get_level_values("seed").to_numpy()
    strata = []
    for place, rows in wide.groupby(level=PLACE, sort=False).indices.items():
        if place in places:
            known, which = np.unique(seeds[rows], return_inverse=True)
            row = np.full((len(common), len(known)), -1)
            row[algorithms[rows], which] = rows
            row = row[:, (row >= 0).all(axis=0)]
            if not row.size:
                return []
            strata.append(values[row][..., ~np.isnan(values[rows]).all(axis=0)])
    return strata


def _over_prompts(
    competitors: pandas.DataFrame, common: pandas.DataFrame, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds of mean ranks when values vary by their standard errors over prompts.

    Normal draws around the values, which the errors of the changes stand for.
    """
    columns = [*PLACE, "objective"]
    errors = competitors.groupby(["algorithm", *columns], sort=False)["delta_se"].mean()
    wide = errors.unstack(columns, sort=False).reindex(common.index)[common.columns].to_numpy()
    if np.isnan(wide).any():
        return np.full(len(common), np.nan), np.full(len(common), np.nan)
    parts, values = RESAMPLES // AT_ONCE, common.to_numpy()
    drawn = (generator.normal(values, wide, size=(AT_ONCE, *values.shape)) for _ in range(parts))
    ranks = np.concatenate([mean_rank(each) for each in drawn])
    # About the estimate: draws around noisy values are noisy twice, and pulled to the middle rank.
    half = stats.norm.ppf(0.975) * ranks.std(axis=0)
    estimate = mean_rank(values)
    return np.maximum(estimate - half, 1), np.minimum(estimate + half, len(estimate))
