"""Find the intervals of mean ranks, interference rates and severity.

They are over seeds where every model and objective set has two or more. With one seed they are over
the test prompts, from the tracked standard errors, and say nothing about how much trainings vary.
"""

import numpy as np
import pandas

from benchmark.interference.comparisons import mean_rank_intervals
from benchmark.interference.intervals import Interval, proportion_interval, stratified_mean_interval
from benchmark.interference.metrics import mean_rank, relative_loss
from benchmark.leaderboard.frames.summary import PLACE

SEED = 20_260  # of the resampling; the same runs give the same bytes
RESAMPLES = 1000
AT_ONCE = 100  # resamples of a whole study held in memory


def rate_interval(group: pandas.DataFrame) -> Interval:
    """Return an algorithm's interference rate with its interval over runs (Clopper and Pearson)."""
    shares = group.groupby([*PLACE, "study", "seed"], sort=False)["interfered"].mean()
    return proportion_interval(shares.to_numpy(dtype=float))


def severity_interval(group: pandas.DataFrame) -> Interval:
    """Return an algorithm's severity with its interval over seeds, or over prompts with one.

    Over prompts, changes are drawn from normal distributions of their standard errors; NaN where
    one was not tracked.
    """
    losses = group.assign(loss=relative_loss(group["delta"], group["initial"]))
    runs = losses.groupby([*PLACE, "study", "seed"], sort=False)["loss"].mean()
    strata = [values.to_numpy() for _, values in runs.groupby(level=PLACE, sort=False)]
    if min(map(len, strata)) > 1:
        return stratified_mean_interval(strata)
    estimate = float(losses["loss"].mean())
    if losses["delta_se"].isna().any():
        return Interval(estimate, np.nan, np.nan)
    generator = np.random.default_rng(SEED)
    drawn = generator.normal(losses["delta"], losses["delta_se"], size=(RESAMPLES, len(losses)))
    found = relative_loss(drawn, losses["initial"]).mean(axis=1)
    low, high = np.quantile(found, (0.025, 0.975)).tolist()
    return Interval(estimate, min(low, estimate), max(high, estimate))


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
    columns = {
        "mean_rank": estimate,
        "mean_rank_low": np.minimum(low, estimate),
        "mean_rank_high": np.maximum(high, estimate),
    }
    return {n: dict(zip(common.index, v, strict=True)) for n, v in columns.items()}


def _strata(competitors: pandas.DataFrame, common: pandas.DataFrame) -> list[np.ndarray]:
    """Return (algorithm, seed, column) of every place, for the seeds that all algorithms have."""
    places, names = {column[:-1] for column in common.columns}, list(common.index)
    strata = []
    for place, group in competitors.groupby(PLACE, sort=False):
        if place in places:
            wide = group.pivot_table("final", ["algorithm", "seed"], "objective", sort=False)
            row = {key: position for position, key in enumerate(wide.index)}
            seeds = [s for s in sorted(group["seed"].unique()) if all((a, s) in row for a in names)]
            if not seeds:
                return []
            strata.append(wide.to_numpy()[[[row[name, seed] for seed in seeds] for name in names]])
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
    low, high = np.quantile(ranks, (0.025, 0.975), axis=0)
    return low, high
