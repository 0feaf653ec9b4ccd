"""Find the primary metric: each algorithm's worst normalised gain, its interval, its rank.

A run's value is min_j Δ_j over what training on j alone gains
(:func:`benchmark.interference.metrics.worst_normalised_gain`); an algorithm's is the interquartile
mean over its runs on all places, and the plain mean stands beside it. The scale is the references':
their mean over seeds on that place. Every row is made from its own runs and the references alone,
so no entry moves another's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas

from benchmark.interference.bootstrap import Statistic, bootstrap_error, resampled
from benchmark.interference.intervals import UNKNOWN, Floats, Interval, joint_half_width
from benchmark.interference.metrics import gain_denominator, worst_normalised_gain
from benchmark.interference.statistics import interquartile_mean
from benchmark.leaderboard.frames.ranking import numbered
from benchmark.leaderboard.results.evidence import PLACE, RUN, evidence
from benchmark.leaderboard.results.references import trained_on

SEED = 20_260  # of the resampling; the same runs give the same bytes
RESAMPLES = 1000  # of seeds
DRAWS = 400  # of the prompts' error
STATISTICS: tuple[Statistic, ...] = (interquartile_mean, np.mean)  # the first one ranks
COLUMNS = [
    *(*RUN, "run", "place", "pair", "initial", "delta", "delta_se", "prompts", "fell_in_run"),
    "scale",
]  # of the rows that gains are made from: each column costs time for every algorithm


@dataclass(frozen=True)
class Gains:
    """An algorithm's runs: their worst normalised gains, place by place.

    Attributes:
        values: (seed,) of every place that has a scale.
        drawn: Each of :data:`STATISTICS` over all of them under the prompts' error, (draw,).
        prompts: The fewest prompts of a run.
        keys: The place, study and seed of each value.
    """

    values: Sequence[Floats]
    drawn: Mapping[Statistic, Floats]
    prompts: float
    keys: pandas.MultiIndex

    @property
    def columns(self) -> list[Floats]:
        """The values as strata of one value a seed: (seed, 1) each."""
        return [stratum[:, None] for stratum in self.values]

    @cached_property
    def resampled(self) -> Floats:
        """The interquartile mean over all values for seeds drawn again, (resample,)."""
        return self.resample(interquartile_mean)

    def resample(self, statistic: Statistic) -> Floats:
        """Return a statistic of all values for seeds drawn again, (resample,).

        Of the same runs the same seeds are drawn, so differences of two algorithms are paired.
        """
        return resampled(self.columns, statistic, np.random.default_rng(SEED), RESAMPLES)

    def among(self, keys: pandas.MultiIndex) -> "Gains":
        """Return the gains of these runs alone, in their order; all are known."""
        if keys.equals(self.keys):
            return self
        values = pandas.Series(np.concatenate(self.values), index=self.keys).reindex(keys)
        place = pandas.factorize(keys.droplevel(["study", "seed"]))[0]
        strata = [values.to_numpy()[place == k] for k in range(place.max() + 1)]
        return Gains(strata, self.drawn, self.prompts, keys)


def scales(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return what training on each objective alone gains: ``scale`` by place and ``objective``.

    A row per place and objective: 0 where the gain of the objective's reference is not above 0 by
    its interval, NaN where it has no reference.
    """
    keys = [*PLACE, "objective"]
    rows = cells.drop_duplicates(keys)[keys].reset_index(drop=True)
    references = cells[cells["reference"]]
    names = list(rows["objective"].unique())
    own = references["algorithm"].map(
        {name: trained_on(name, names) for name in references["algorithm"].unique()}
    )
    alone = references[own == references["objective"]]
    if alone.empty:
        return rows.assign(scale=np.nan)
    alone = alone.assign(group=alone.groupby(PLACE, sort=False).ngroup())
    _, found = evidence(alone)
    found["scale"] = np.where(found["rose"], found["delta"], 0.0)
    places = alone.drop_duplicates("group").set_index("group")[PLACE]
    found = found.join(places, on="group")
    return rows.merge(found[[*keys, "scale"]], on=keys, how="left")


def run_gains(cells: pandas.DataFrame, scale: pandas.DataFrame) -> dict[str, Gains]:
    """Return each algorithm's :class:`Gains`; empty ones where no place has a scale."""
    rows = numbered(cells.merge(scale, on=[*PLACE, "objective"], how="left"))[COLUMNS]
    return {
        str(name): _gains(group.reset_index(drop=True))
        for name, group in rows.groupby("algorithm", sort=False)
    }


def _gains(cells: pandas.DataFrame) -> Gains:
    """Return the gains of one algorithm, whose runs' rows stand together and are numbered."""
    values, starts = run_values(cells, cells["run"].to_numpy())
    known = ~np.isnan(values)
    first = cells.iloc[starts[known]]
    keys = pandas.MultiIndex.from_frame(first[[*PLACE, "study", "seed"]])
    place = pandas.factorize(first["place"])[0]
    strata = [values[known][place == k] for k in range(place.max() + 1)] if known.any() else []
    order = np.argsort(place, kind="stable")
    prompts = float(cells["prompts"].min())
    least = _drawn(cells, starts, known) if strata else None
    drawn = {} if least is None else {each: each(least, axis=1) for each in STATISTICS}
    return Gains(strata, drawn, prompts, keys[order])


def run_values(cells: pandas.DataFrame, run: np.ndarray) -> tuple[Floats, np.ndarray]:
    """Return each run's worst normalised gain and its first row; rows have a ``scale``.

    ``run`` numbers the rows' runs. A run's rows stand together, as in a table's ``cells``.
    """
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    columns = ("delta", "scale", "initial", "fell_in_run")
    parts = {name: cells[name].to_numpy() for name in columns}
    ends = [*starts[1:], len(cells)]
    values = np.full(len(starts), np.nan)
    for size in np.unique(np.diff([*starts, len(cells)])):
        those = np.flatnonzero(np.array(ends) - starts == size)
        rows = starts[those][:, None] + np.arange(size)
        values[those] = worst_normalised_gain(*(parts[name][rows] for name in columns))
    return values, starts


def _drawn(cells: pandas.DataFrame, starts: np.ndarray, known: np.ndarray) -> Floats:
    """Return the runs' values under normal errors of the prompts: (draw, run).

    One error for an objective of a place, which its seeds share; objectives' errors independent,
    since no table tells how they go together.
    """
    generator = np.random.default_rng(SEED)
    pairs = pandas.factorize(cells["pair"])[0]
    squares = pandas.Series(cells["delta_se"].to_numpy() ** 2).groupby(pairs, sort=False)
    errors = np.sqrt(squares.mean().to_numpy())
    if np.isnan(errors).any() or cells["delta_se"].isna().any():
        return np.full((DRAWS, int(known.sum())), np.nan)
    per = gain_denominator(cells["scale"], cells["initial"])
    counted = (cells["scale"].to_numpy() > 0) | cells["fell_in_run"].to_numpy(dtype=bool)
    shift = generator.normal(0.0, errors, size=(DRAWS, len(errors)))[:, pairs]
    values = np.where(counted, (cells["delta"].to_numpy() + shift) / per, np.inf)
    return np.asarray(np.minimum.reduceat(values, starts, axis=1)[:, known])


def gain_interval(gains: Gains, statistic: Statistic = interquartile_mean) -> Interval:
    """Return one of :data:`STATISTICS` over runs with its 95% interval.

    Its squared error has two parts, joined by ``intervals.joint_half_width``: between seeds, by the
    stratified bootstrap (``bootstrap.bootstrap_error``), where every place has two or more; and the
    prompts' and the initial policy's, which all seeds of a place share. NaN without a scale.
    """
    if not gains.values:
        return Interval(np.nan, np.nan, np.nan)
    estimate = float(statistic(np.concatenate(gains.values), axis=0))
    error, freedom = 0.0, 0.0
    if min(map(len, gains.values)) > 1:
        first = statistic is interquartile_mean  # whose resamples differences need, too
        found = gains.resampled if first else gains.resample(statistic)
        error, freedom = bootstrap_error(gains.columns, statistic, found)
    shared = float(np.var(gains.drawn[statistic]))
    half = float(joint_half_width(error**2, freedom, shared, gains.prompts - 1))
    return Interval(estimate, estimate - half, estimate + half)


def alike(one: Gains, other: Gains) -> bool:
    """Say whether the interval of the difference of two algorithms' values holds 0.

    That of :func:`difference_interval`; one that is not known holds everything.
    """
    _, low, high = difference_interval(one, other)
    return not (low > 0 or high < 0)


def difference_interval(one: Gains, other: Gains) -> Interval:
    """Return the difference of two algorithms' values with its 95% interval.

    Over the runs of the same place and seed: seeds are drawn for both together, and the prompts'
    errors count as if independent, which errs on the side of a tie. NaN where no run is in common.
    """
    common = one.keys if one.keys.equals(other.keys) else one.keys.intersection(other.keys, False)
    if common.empty:
        return UNKNOWN
    one, other = one.among(common), other.among(common)
    pair = [np.concatenate(each.values) for each in (one, other)]
    difference = float(np.subtract(*(interquartile_mean(values) for values in pair)))
    if np.array_equal(pair[0], pair[1]):
        return Interval(0.0, 0.0, 0.0)
    seeds = [len(stratum) for stratum in one.values]
    error, freedom = 0.0, 0.0
    if min(seeds) > 1:
        apart = one.resampled - other.resampled
        error = float(np.sqrt(np.mean((apart - difference) ** 2)))
        freedom = float(sum(seeds) - len(seeds))
    shared = float(sum(np.var(each.drawn[interquartile_mean]) for each in (one, other)))
    half = float(joint_half_width(error**2, freedom, shared, min(one.prompts, other.prompts) - 1))
    return Interval(difference, difference - half, difference + half)


def shared_ranks(
    order: Sequence[str], gains: Mapping[str, Gains], first: int = 1
) -> dict[str, int]:
    """Return ranks for algorithms in order, the best first; ties within error share one.

    Going down, an algorithm has the rank of the first one that has it as long as the interval of
    their difference holds 0 (:func:`alike`); else it opens the next rank. Ranks have no gaps, so a
    copy of an entry moves nobody else's.
    """
    ranks: dict[str, int] = {}
    rank, leader = first - 1, ""
    for name in order:
        if not leader or not alike(gains[leader], gains[name]):
            rank, leader = rank + 1, name
        ranks[name] = rank
    return ranks
