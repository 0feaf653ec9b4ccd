"""Compare the algorithms over all models, and find what each objective does to the others."""

from typing import NamedTuple

import numpy as np
import pandas

from benchmark.interference.comparisons import improvement_interval
from benchmark.interference.intervals import mean_interval, paired_interval
from benchmark.interference.metrics import interference_matrix, interference_rate, severity
from benchmark.leaderboard.frames.against import BASELINE, worst_changes
from benchmark.leaderboard.frames.ranking import rank_intervals, rate_interval, severity_interval
from benchmark.leaderboard.frames.summary import PLACE, environments, trained_on

MATRIX_COLUMNS = [*PLACE, "trained_on", "objective", "change", "change_low", "change_high", "seeds"]
AXES = ("model", "objectives", "estimator")
MANY = 20  # values of an axis that are compared one by one; each takes a second


class Overall(NamedTuple):
    """The overall table, and how much of the study its ranks rest on.

    Attributes:
        table: A row per algorithm.
        ranked: Number of columns the ranks are over.
        columns: Number of columns there are.
    """

    table: pandas.DataFrame
    ranked: int
    columns: int


def compare(cells: pandas.DataFrame) -> Overall:
    """Compare the algorithms over everything in a table's ``cells``.

    A row per algorithm: ``reference``; ``mean_rank``, ``interference_rate``, ``severity``, each
    with bounds ``…_low`` and ``…_high``; ``improvement``, the probability that its worst objective
    does better than that of ``linear`` on the same seed, with bounds; ``runs``; ``seeds``, the
    fewest of a place; ``interval``, what the bounds of ranks and severity are over (``seeds``, or
    ``prompts`` where there is one seed; those of rates are over runs);
    ``environment``. Competitors come first, the best mean rank on top; references are not ranked
    (NaN) and stand beneath, in the study's order. Ranks are by final value (mean over seeds), over
    the columns (an objective of a set on a model) in which every competitor has one.
    """
    competitors = cells[~cells["reference"]]
    columns = [*PLACE, "objective"]
    final = competitors.groupby(["algorithm", *columns], sort=False)["final"].mean()
    wide = final.unstack(columns, sort=False)
    common = wide.dropna(axis="columns")
    ranks = rank_intervals(competitors, common)
    baseline = worst_changes(cells[cells["algorithm"] == BASELINE])
    groups = cells.groupby("algorithm", sort=False)
    table = pandas.DataFrame([_row(group, baseline) for _, group in groups])
    for column, values in ranks.items():
        table[column] = table["algorithm"].map(values)
    best_first = ["mean_rank", "interference_rate", "severity"]
    ordered = table[~table["reference"]].sort_values(best_first, kind="stable")
    table = pandas.concat([ordered, table[table["reference"]]], ignore_index=True)
    return Overall(table[OVERALL_COLUMNS], common.shape[1], wide.shape[1])


OVERALL_COLUMNS = [
    *("algorithm", "reference", "mean_rank", "mean_rank_low", "mean_rank_high"),
    *("interference_rate", "interference_rate_low", "interference_rate_high"),
    *("severity", "severity_low", "severity_high"),
    *("improvement", "improvement_low", "improvement_high"),
    *("runs", "seeds", "interval", "environment"),
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
    groups = references.groupby(PLACE, sort=False)
    frames = [_matrix(group) for _, group in groups]
    empty = pandas.DataFrame(columns=MATRIX_COLUMNS)
    return pandas.concat(frames).reset_index(drop=True) if frames else empty


def _row(group: pandas.DataFrame, baseline: pandas.Series) -> dict[str, object]:
    rate, loss = rate_interval(group), severity_interval(group)
    own, other = worst_changes(group).align(baseline, join="inner")
    better = improvement_interval(own, other) if len(own) else (np.nan,) * 3
    if group["algorithm"].iloc[0] == BASELINE:
        better = (np.nan,) * 3
    seeds = group.groupby(PLACE)["seed"].nunique().min()
    return {
        "algorithm": group["algorithm"].iloc[0],
        "reference": bool(group["reference"].iloc[0]),
        "interference_rate": interference_rate(group["interfered"]),
        "interference_rate_low": rate.low,
        "interference_rate_high": rate.high,
        "severity": severity(group["delta"], group["initial"]),
        "severity_low": loss.low,
        "severity_high": loss.high,
        **dict(zip(("improvement", "improvement_low", "improvement_high"), better, strict=True)),
        "runs": len(group[[*PLACE, "study", "seed"]].drop_duplicates()),
        "seeds": seeds,
        "interval": "prompts" if seeds == 1 else "seeds",
        "environment": environments(group),
    }


def _matrix(group: pandas.DataFrame) -> pandas.DataFrame:
    """Return the matrix of one model and objective set, a row per pair."""
    names = list(group["objective"].unique())
    source = group["algorithm"].map(lambda algorithm: trained_on(algorithm, names))
    final = group.assign(source=source).pivot_table("final", "source", "objective", aggfunc="mean")
    final = final.reindex(index=[n for n in names if n in final.index], columns=names)
    initial = group.groupby("objective")["initial"].mean().reindex(names)
    change = pandas.DataFrame(interference_matrix(final, initial), final.index, names)
    half = _half_widths(group.assign(source=source))
    place = [group[key].iloc[0] for key in PLACE]
    seeds = group.groupby(source)["seed"].nunique()
    rows = []
    for i in change.index:
        for j in names:
            value, width = change.loc[i, j], half.get((i, j), np.nan)
            rows.append([*place, i, j, value, value - width, value + width, seeds[i]])
    return pandas.DataFrame(rows, columns=MATRIX_COLUMNS)


def _half_widths(group: pandas.DataFrame) -> dict[tuple[str, str], float]:
    """Return half the width of each change's interval, over seeds, or over prompts with one."""
    found = {}
    for (source, objective), rows in group.groupby(["source", "objective"], sort=False):
        interval = (
            paired_interval(
                rows["delta"].iloc[0], rows["delta_se"].iloc[0], rows["prompts"].iloc[0]
            )
            if len(rows) == 1
            else mean_interval(rows["delta"])
        )
        found[str(source), str(objective)] = interval.high - interval.estimate
    return found
