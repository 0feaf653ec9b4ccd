"""Tables whose cells are coloured: by model, and train on one objective, effect on each."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas

from benchmark.leaderboard.frames.overall import Overall
from benchmark.leaderboard.frames.summary import PLACE
from benchmark.leaderboard.pages.numbers import number, share
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.findings import place_name

View = dict[str, Any]  # what the template reads
STEPS = 5  # shades of a colour
SMALLEST = 0.05  # change that has the strongest colour, if none is larger


def heat_map(results: Table, summary: pandas.DataFrame, overall: Overall) -> View:
    """Return what each algorithm did to each model: worst change and interference rate."""
    places = list(dict.fromkeys(zip(summary["model"], summary["objectives"], strict=True)))
    rates = results.cells.groupby([*PLACE, "algorithm"])["interfered"].mean()
    groups = dict(iter(summary.groupby([*PLACE, "algorithm"], sort=False)))
    scale = max(SMALLEST, float(summary["worst_change"].abs().max()))  # in this order for NaN
    rows = []
    for row in overall.table.to_dict("records"):
        name = row["algorithm"]
        cells = [
            _heat_cell(groups[(*place, name)], float(rates[(*place, name)]), scale, index)
            if (*place, name) in groups
            else None
            for index, place in enumerate(places)
        ]
        rows.append({"algorithm": name, "reference": bool(row["reference"]), "cells": cells})
    heads = [place_name(place, summary) for place in places]
    return {"heads": heads, "rows": rows, "scale": number(scale, 2)}


def _heat_cell(group: pandas.DataFrame, rate: float, scale: float, place: int) -> View:
    given_up = group.loc[group["interfered"], "objective"]
    changes = ", ".join(
        f"{row['objective']} {number(row['delta'], sign='+')}" for row in group.to_dict("records")
    )
    worst = group["worst_change"].iloc[0]
    return {
        "worst": number(worst, 2, "+"),
        "given_up": list(given_up),
        "rate": share(rate),
        "change_shade": shade(worst, scale),
        "rate_shade": shade(-rate, 1.0),
        "changes": changes,
        "place": place,
    }


def matrix_table(rows: pandas.DataFrame) -> View:
    """Return the matrix of one model and objective set: trained on i, effect on j."""
    names = list(rows["objective"].unique())
    scale = max(SMALLEST, float(rows["change"].abs().max()))
    known = {(row["trained_on"], row["objective"]): row for row in rows.to_dict("records")}
    return {
        "heads": names,
        "rows": [
            {
                "name": str(source),
                "cells": [_effect(known[source, name], scale) for name in names],
            }
            for source in rows["trained_on"].unique()
        ],
    }


def _effect(row: Mapping[Hashable, Any], scale: float) -> View:
    """Return what training on one objective did to another, with half its interval's width."""
    half = row["change_high"] - row["change"]
    return {
        "text": number(row["change"], 3, "+"),
        "margin": "" if pandas.isna(half) else f"± {number(half)}",
        "shade": shade(row["change"], scale),
        "own": row["trained_on"] == row["objective"],
    }


def shade(value: float, scale: float) -> str:
    """Return the class of a colour: ``loss-1`` to ``loss-5``, ``gain-1`` to ``gain-5``, or none."""
    if pandas.isna(value) or value == 0:
        return ""
    step = min(STEPS, int(STEPS * abs(value) / scale) + 1)
    return f"{'loss' if value < 0 else 'gain'}-{step}"
