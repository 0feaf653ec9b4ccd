"""The tables of the page, cell by cell, as its template wants them."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas

from benchmark.leaderboard.frames.overall import Overall
from benchmark.leaderboard.frames.summary import PLACE
from benchmark.leaderboard.pages.numbers import number, share, sortable
from benchmark.leaderboard.results.cells import preference_weights
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.findings import place_name
from benchmark.leaderboard.site.heat import SMALLEST, matrix_table

Row = Mapping[Hashable, Any]  # of a data frame
View = dict[str, Any]  # what the template reads

OVERALL = {  # column -> heading, and how a value is written
    "mean_rank": ("Mean rank", lambda value: number(value, 2)),
    "interference_rate": ("Interference rate", share),
    "severity": ("Severity", number),
    "improvement": ("Better than linear", share),
    "runs": ("Runs", lambda value: str(int(value))),
}


def overall_table(overall: Overall) -> View:
    """Return the overall table. Columns ``<name>_low`` and ``<name>_high`` become its intervals."""
    names = [name for name in OVERALL if name in overall.table]
    if overall.table["improvement"].isna().all():  # there is no linear, or nothing beside it
        names.remove("improvement")
    rows = [
        {
            "algorithm": row["algorithm"],
            "reference": bool(row["reference"]),
            "cells": [_overall_cell(name, row) for name in names],
        }
        for row in overall.table.to_dict("records")
    ]
    notes = []
    if overall.ranked != overall.columns:
        notes.append(
            f"Ranks are over the {overall.ranked} of {overall.columns} objectives of models that "
            "every algorithm has a result for."
        )
    if not any(cell["interval"] for row in rows for cell in row["cells"]):
        notes.append("These sum up the study without intervals; the changes by model have them.")
    return {"heads": [OVERALL[name][0] for name in names], "rows": rows, "notes": notes}


def _overall_cell(name: str, row: Row) -> View:
    write = OVERALL[name][1]
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    interval = None if pandas.isna(low) or pandas.isna(high) else f"{write(low)} to {write(high)}"
    value = row[name]
    return {
        "value": sortable(value),
        "text": write(value),
        "interval": interval,
        "bar": 100 * value if name == "interference_rate" and not pandas.isna(value) else None,
    }


def group_tables(
    results: Table, summary: pandas.DataFrame, matrices: pandas.DataFrame
) -> list[View]:
    """Return what is shown of each model and objective set, in the study's order."""
    scale = _scale(summary)
    tables = []
    for index, (place, group) in enumerate(summary.groupby(PLACE, sort=False)):
        model, objectives = map(str, place)
        names = list(group["objective"].unique())
        weights = preference_weights(results.expected.values(), model, objectives)
        here = matrices[(matrices["model"] == model) & (matrices["objectives"] == objectives)]
        rows = [_group_row(rows, scale) for _, rows in group.groupby("algorithm", sort=False)]
        _mark_best(rows, len(names))
        tables.append(
            {
                "id": f"place-{index}",
                "model": model,
                "objectives": objectives,
                "title": place_name((model, objectives), summary),
                "heads": [
                    {
                        "name": name,
                        "weight": f"{weights[name]:.2g}" if weights else "",
                        "initial": number(group.loc[group["objective"] == name, "initial"].mean()),
                    }
                    for name in names
                ],
                "rows": rows,
                "matrix": matrix_table(here) if not here.empty else None,
            }
        )
    return tables


def _group_row(frame: pandas.DataFrame, scale: float) -> View:
    """Return the cells of one algorithm, given its rows, one an objective."""
    rows = frame.to_dict("records")
    shared = rows[0]
    return {
        "algorithm": shared["algorithm"],
        "reference": bool(shared["reference"]),
        "cells": [_objective_cell(row, scale) for row in rows],
        "worst": _plain(shared["worst_change"], sign="+"),
        "score": {
            "value": sortable(shared["score_delta"]),
            "text": number(shared["score_delta"], sign="+"),
            "margin": _margin(shared["score_delta"], shared["score_low"], shared["score_high"]),
        },
        "hypervolume": _plain(shared["hypervolume_gain"], digits=5),
        "tokens": _plain(shared["tokens"], digits=1),
        "seeds": str(shared["seeds"]),
    }


def _objective_cell(row: Row, scale: float) -> View:
    low, high = interval_of(row)
    return {
        "value": sortable(row["final"]),
        "final": number(row["final"]),
        "delta": number(row["delta"], sign="+"),
        "margin": _margin(row["delta"], low, high),
        "interfered": bool(row["interfered"]),
        "why": text_of(row.get("attribution")),
        "whisker": None if pandas.isna(row["delta"]) else _whisker(row["delta"], low, high, scale),
        "best": False,
    }


def interval_of(row: Row) -> tuple[float, float]:
    """Return the interval of an objective's change: ``ci_low`` and ``ci_high`` where they are."""
    return (
        row["ci_low"] if "ci_low" in row else row["delta_low"],
        row["ci_high"] if "ci_high" in row else row["delta_high"],
    )


def text_of(value: Any) -> str:
    """Return a text that may be missing."""
    return value if isinstance(value, str) else ""


def _mark_best(rows: Sequence[View], columns: int) -> None:
    """Mark the best final value of each objective among the competitors, if there are several."""
    competing = [row for row in rows if not row["reference"]]
    for column in range(columns):
        cells = [row["cells"][column] for row in competing if row["cells"][column]["value"]]
        if len(cells) > 1:
            top = max(float(cell["value"]) for cell in cells)
            for cell in cells:
                cell["best"] = cell["final"] == number(top)


def _plain(value: float, digits: int = 3, sign: str = "") -> View:
    return {"value": sortable(value), "text": number(value, digits, sign)}


def _margin(estimate: float, low: float, high: float) -> str:
    """Return an interval after its estimate: ``± half`` if symmetric, else its two ends."""
    if pandas.isna(low) or pandas.isna(high):
        return ""
    if abs((high - estimate) - (estimate - low)) < 5e-4:
        return f"± {number(high - estimate)}"
    return f"[{number(low, sign='+')}, {number(high, sign='+')}]"


def _scale(summary: pandas.DataFrame) -> float:
    """Return the largest change that the drawn intervals reach, the same for the whole page."""
    ends = summary[["delta", "delta_low", "delta_high"]].abs().max().max()
    return max(SMALLEST, float(ends))  # in this order for NaN


def _whisker(delta: float, low: float, high: float, scale: float) -> dict[str, str]:
    """Return where a change and its interval lie on a line from 0 to 100; 50 is no change."""

    def place(value: float) -> str:
        return f"{50 + 47 * max(-1.0, min(1.0, value / scale)):.1f}"

    known = not (pandas.isna(low) or pandas.isna(high))
    return {
        "at": place(delta),
        "low": place(low if known else delta),
        "high": place(high if known else delta),
    }
