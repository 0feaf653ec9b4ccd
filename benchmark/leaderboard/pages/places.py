"""Assemble the tables of one model and objective set: its results, its interference matrix."""

from collections.abc import Mapping

import numpy as np
import pandas

from benchmark.leaderboard.frames.summary import PLACE
from benchmark.leaderboard.pages.markdown import NOTHING, number
from benchmark.leaderboard.pages.notes import weights_line
from benchmark.leaderboard.pages.sheet import (
    Cell,
    Flag,
    Row,
    Sheet,
    algorithm,
    amount,
    change,
    count,
    ranked,
    records,
    transposed,
)

WORST = "worst Δ"


def group_sheet(
    group: pandas.DataFrame, weights: Mapping[str, float], *, attributed: bool
) -> Sheet:
    """Return the table of one model and objective set: rows of ``summarise``."""
    found: dict[str, dict[str, Row]] = {}  # each algorithm's rows by objective
    for row in records(group):
        found.setdefault(row["algorithm"], {}).setdefault(row["objective"], row)
    lines = list(found.values())
    first = [next(iter(rows.values())) for rows in lines]
    names = list(dict.fromkeys(name for rows in lines for name in rows))
    competing = [not row["reference"] for row in first]
    finals = [ranked([_final(rows.get(name)) for rows in lines], competing) for name in names]
    gains = [change(*(row[f"score_{part}"] for part in ("delta", "low", "high"))) for row in first]
    volumes = [amount(row["hypervolume_gain"], 5) for row in first]
    after = {
        WORST: ranked([_worst(rows) for rows in lines], competing),
        "scalarized gain": ranked(gains, competing),
        "hypervolume gain": ranked(volumes, competing, digits=5),
        "tokens": [amount(row["tokens"], 1) for row in first],
        "seeds": [count(row["seeds"]) for row in first],
    }
    if attributed:
        after["why"] = [Cell(_why(rows)) for rows in lines]
    model, objectives = (str(first[0][key]) for key in PLACE)
    starts = group.groupby("objective")["initial"].mean()
    return Sheet(
        kind="group",
        name=f"{model}-{objectives}",
        caption=f"{model}, {objectives}",
        header=["algorithm", *names, *after],
        rows=transposed([[algorithm(row) for row in first], *finals, *after.values()]),
        place=(model, objectives),
        lead=weights_line(weights),
        details={name: _details(weights.get(name), starts[name]) for name in names},
    )


def _details(weight: float | None, start: float) -> list[str]:
    return [*([] if weight is None else [f"weight {weight:.2g}"]), f"start {number(start)}"]


def _final(row: Row | None) -> Cell:
    """Return an objective's value after training, with its change."""
    if row is None or pandas.isna(row["final"]):
        return Cell(NOTHING)
    return amount(row["final"])._replace(
        flag=Flag.INTERFERED if row["interfered"] else Flag.NONE,
        change=change(row["delta"], row["delta_low"], row["delta_high"]),
        why=row["attribution"],
    )


def _worst(rows: Mapping[str, Row]) -> Cell:
    """Return the worst objective's change with its own interval."""
    row = min(rows.values(), key=lambda row: (np.isnan(row["delta"]), row["delta"]))
    return change(row["delta"], row["delta_low"], row["delta_high"])


def _why(rows: Mapping[str, Row]) -> str:
    """Return what each interfered objective is attributed to; a dash where not diagnosed."""
    fell = [row for row in rows.values() if row["interfered"]]
    return "; ".join(f"{r['objective']}: {r['attribution'] or NOTHING}" for r in fell) or NOTHING


def matrix_sheet(rows: pandas.DataFrame) -> Sheet:
    """Return an interference matrix: rows of ``interference_matrices`` of one place."""
    lines = records(rows)
    model, objectives = (str(lines[0][key]) for key in PLACE)
    names = list(dict.fromkeys(row["objective"] for row in lines))
    table: dict[str, list[Cell]] = {}
    for row in lines:
        own = table.setdefault(row["trained_on"], [Cell(f"on {row['trained_on']}")])
        own.append(change(row["change"], row["change_low"], row["change_high"]))
    return Sheet(
        kind="matrix",
        name=f"matrix-{model}-{objectives}",
        caption=f"{model}, {objectives}: change of each objective when training on one alone",
        header=["trained", *names],
        rows=list(table.values()),
        place=(model, objectives),
        lead="Change of each objective when training on one alone:",
    )
