"""Algorithms compared over all models, and what single objectives do to one another."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas

from benchmark.interference import interference_matrix, interference_rate, mean_rank, severity
from benchmark.leaderboard.summary import PLACE, environments, trained_on

MATRIX_COLUMNS = [*PLACE, "trained_on", "objective", "change", "seeds"]


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

    A row per algorithm: ``reference``, ``mean_rank``, ``interference_rate``, ``severity``,
    ``runs``, ``environment``. Competitors come first, the best mean rank on top; references are
    not ranked (NaN) and stand beneath, in the study's order. Ranks are by final value (mean over
    seeds), over the columns (an objective of a set on a model) in which every competitor has one.
    """
    competitors = cells[~cells["reference"]]
    columns = [*PLACE, "objective"]
    final = competitors.groupby(["algorithm", *columns], sort=False)["final"].mean()
    wide = final.unstack(columns, sort=False)
    common = wide.dropna(axis="columns")
    ranks = dict(zip(common.index, mean_rank(common), strict=True)) if common.size else {}
    rows = [_row(group, ranks) for _, group in cells.groupby("algorithm", sort=False)]
    table = pandas.DataFrame(rows)
    best_first = ["mean_rank", "interference_rate", "severity"]
    ordered = table[~table["reference"]].sort_values(best_first, kind="stable")
    table = pandas.concat([ordered, table[table["reference"]]], ignore_index=True)
    return Overall(table, common.shape[1], wide.shape[1])


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


def _row(group: pandas.DataFrame, ranks: Mapping[Any, float]) -> dict[str, Any]:
    algorithm = group["algorithm"].iloc[0]
    return {
        "algorithm": algorithm,
        "reference": bool(group["reference"].iloc[0]),
        "mean_rank": ranks.get(algorithm, np.nan),
        "interference_rate": interference_rate(group["interfered"]),
        "severity": severity(group["delta"], group["initial"]),
        "runs": len(group[[*PLACE, "seed"]].drop_duplicates()),
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
    place = [group[key].iloc[0] for key in PLACE]
    seeds = group.groupby(source)["seed"].nunique()
    rows = [[*place, i, j, change.loc[i, j], seeds[i]] for i in change.index for j in names]
    return pandas.DataFrame(rows, columns=MATRIX_COLUMNS)
