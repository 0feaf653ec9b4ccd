"""Compare the algorithms over all models, and find what each objective does to the others."""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import pandas

from benchmark.interference.comparisons import improvement_interval
from benchmark.interference.intervals import UNKNOWN, Interval
from benchmark.leaderboard.frames.against import BASELINE, beside_baseline
from benchmark.leaderboard.frames.gains import Gains, run_gains, scales
from benchmark.leaderboard.frames.gains import gain_interval as primary_interval
from benchmark.leaderboard.frames.ranking import (
    gain_interval,
    loss_interval,
    numbered,
    rank_intervals,
    rate_interval,
    severity_interval,
)
from benchmark.leaderboard.frames.summary import environments
from benchmark.leaderboard.frames.verdicts import copies, ordered
from benchmark.leaderboard.results.evidence import PLACE, evidence
from benchmark.leaderboard.results.references import trained_on

MATRIX_COLUMNS = [*PLACE, "trained_on", "objective", "change", "change_low", "change_high", "seeds"]
AXES = ("model", "objectives", "estimator")
COLUMNS = [
    *("algorithm", "reference", "model", "seed", "place", "pair", "run", "environment"),
    *("initial", "delta", "delta_se", "prompts", "score_delta", "score_delta_se"),
    *("worst_change", "delta_m", "fell_in_run", "collapsed_in_run"),
    *("interfered", "fell", "rose", "succeeded", "collapsed"),
]  # of the numbered rows that the table is made from: each costs time for every algorithm
MANY = 20  # values of an axis that are compared one by one; each takes a second


class Overall(NamedTuple):
    """The overall table, and how much of the study its ranks rest on.

    Attributes:
        table: A row per algorithm.
        ranked: Number of columns the ranks are over.
        columns: Number of columns there are.
        unscaled: Objectives that training on them alone did not raise, ``objective on model``.
    """

    table: pandas.DataFrame
    ranked: int
    columns: int
    unscaled: tuple[str, ...] = ()

    @property
    def scaled(self) -> bool:
        """Whether the primary metric is known of every competitor."""
        return bool(self.table.loc[~self.table["reference"], "worst_gain"].notna().all())


def compare(cells: pandas.DataFrame) -> Overall:
    """Compare the algorithms over everything in a table's ``cells``.

    A row per algorithm, whose columns the data dictionary describes; :data:`OVERALL_COLUMNS`.
    Competitors come first, ordered by their verdict (:mod:`.verdicts`) and then by the primary
    metric, ``worst_gain`` (:mod:`.gains`), or by the worst change where nothing gives it a scale.
    References are not ranked and stand beneath, in the study's order. Mean ranks are by final value
    (mean over seeds), over the columns (an objective of a set on a model) in which every competitor
    has one; copies of an entry count once.
    """
    twins = copies(cells)
    competitors = cells[~cells["reference"]]
    distinct = competitors[~competitors["algorithm"].isin(twins)]
    columns = [*PLACE, "objective"]
    final = distinct.groupby(["algorithm", *columns], sort=False)["final"].mean()
    wide = final.unstack(columns, sort=False)
    common = wide.dropna(axis="columns")
    ranks = rank_intervals(distinct, common)
    scale = scales(cells)
    gains = run_gains(cells, scale)
    better = _improvements(cells)
    groups = numbered(cells)[COLUMNS].groupby("algorithm", sort=False)
    table = pandas.DataFrame(
        [_row(group, gains[str(n)], better.get(n, UNKNOWN)) for n, group in groups]
    )
    table["same_as"] = [twins.get(name, "") for name in table["algorithm"]]
    own = table["algorithm"].replace(twins)
    for column, values in ranks.items():
        table[column] = own.map(values)
    table = ordered(table, gains, competitors.drop_duplicates(PLACE).shape[0])
    flat = scale[scale["scale"] == 0]
    unscaled = tuple(
        f"{name} on {model}" for model, name in flat[["model", "objective"]].to_numpy()
    )
    return Overall(table[OVERALL_COLUMNS], common.shape[1], wide.shape[1], unscaled)


def _bounded(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


OVERALL_COLUMNS = [
    *("algorithm", "reference", "rank", *_bounded("worst_gain"), "verdict", "same_as"),
    *_bounded("mean_worst_gain"),
    *("succeeded", "rose", "fell", "collapsed", "lossy_runs", "collapsed_runs"),
    *(*_bounded("interference_rate"), *_bounded("severity"), *_bounded("gain")),
    *(*_bounded("worst_loss"), *_bounded("improvement"), "delta_m", *_bounded("mean_rank")),
    *("places", "pairs", "runs", "seeds", "interval", "environment"),
]


def breakdown(cells: pandas.DataFrame, overall: Overall | None = None) -> pandas.DataFrame:
    """Return :func:`compare` of each model, objective set and estimator alone, one below the other.

    ``axis`` says which of the three a row is of, ``value`` which model, set or estimator. An axis
    of more than :data:`MANY` is left out: its rows are in the tables by model and set.
    ``overall``, :func:`compare` of all cells, serves an axis with one value.
    """
    frames = []
    for axis in AXES:
        if cells[axis].nunique() > MANY:
            continue
        for value, group in cells.groupby(axis, sort=False):
            if len(group) == len(cells):
                overall = overall or compare(cells)
                table = overall.table.copy()
            else:
                table = compare(group).table
            table.insert(0, "axis", axis)
            table.insert(1, "value", value)
            frames.append(table)
    return pandas.concat(frames, ignore_index=True)


def interference_matrices(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return E_ij of every model and objective set that has references, in long form.

    A row per ``model``, ``objectives``, ``trained_on`` (i) and ``objective`` (j), with ``change``,
    what training on i alone did to j (mean over ``seeds`` runs).
    """
    references = cells[cells["reference"]]
    names = list(cells["objective"].unique())
    sources = {name: trained_on(name, names) for name in references["algorithm"].unique()}
    rows = references.assign(trained_on=references["algorithm"].map(sources))
    rows = rows[rows["trained_on"].notna()]
    if rows.empty:
        return pandas.DataFrame(columns=MATRIX_COLUMNS)
    rows = rows.assign(group=rows.groupby([*PLACE, "trained_on"], sort=False).ngroup())
    shared, found = evidence(rows)
    firsts = rows.drop_duplicates("group").set_index("group")[[*PLACE, "trained_on"]]
    found = found.join(firsts, on="group").join(shared["seeds"], on="group")
    found["change"] = found["delta"]
    found["change_low"] = found["delta"] - found["half"]
    found["change_high"] = found["delta"] + found["half"]
    found["place"] = found.groupby(PLACE, sort=False).ngroup()
    order = {name: position for position, name in enumerate(names)}
    for column in ("trained_on", "objective"):
        found[f"{column}_order"] = found[column].map(order)
    found = found.sort_values(["place", "trained_on_order", "objective_order"], kind="stable")
    return found[MATRIX_COLUMNS].reset_index(drop=True)


def _improvements(cells: pandas.DataFrame) -> dict[Hashable, Interval]:
    """Return the probability of improvement of each algorithm that has seeds of ``linear``'s."""
    groups = beside_baseline(cells).groupby("algorithm", sort=False)
    return {
        name: improvement_interval(runs["worst_change"], runs["baseline"])
        for name, runs in groups
        if name != BASELINE
    }


def _row(group: pandas.DataFrame, gains: Gains, better: Interval) -> dict[str, object]:
    intervals = {
        "worst_gain": primary_interval(gains),
        "mean_worst_gain": primary_interval(gains, np.mean),
        "interference_rate": rate_interval(group),
        "severity": severity_interval(group),
        "gain": gain_interval(group),
        "worst_loss": loss_interval(group),
        "improvement": better,
    }
    pairs = group.drop_duplicates("pair")
    places = pairs.drop_duplicates("place")
    runs = group.groupby("run", sort=False)[["fell_in_run", "collapsed_in_run"]].max()
    by_place = group.groupby("place", sort=False)
    seeds = by_place["seed"].nunique().min()
    return {
        "algorithm": group["algorithm"].iloc[0],
        "reference": bool(group["reference"].iloc[0]),
        **{
            column: bound
            for name, interval in intervals.items()
            for column, bound in zip(_bounded(name), interval, strict=True)
        },
        **{name: int(pairs[name].sum()) for name in ("rose", "fell")},
        **{name: int(places[name].sum()) for name in ("succeeded", "collapsed")},
        "lossy_runs": int(runs["fell_in_run"].sum()),
        "collapsed_runs": int(runs["collapsed_in_run"].sum()),
        "delta_m": _mean(by_place["delta_m"].apply(_mean)),
        "places": len(places),
        "pairs": len(pairs),
        "runs": len(runs),
        "seeds": seeds,
        "interval": "prompts" if seeds == 1 else "seeds",
        "environment": environments(group),
    }


def _mean(values: pandas.Series) -> float:
    """Return the mean; NaN if a value is missing."""
    return float(values.mean(skipna=False))
