"""Assemble the tables of one model and objective set: its results, its interference matrix."""

from collections.abc import Mapping

import numpy as np
import pandas

from benchmark.leaderboard.pages.markdown import NOTHING, number
from benchmark.leaderboard.pages.notes import geometry_line, weights_line
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
from benchmark.leaderboard.results.evidence import PLACE

WORST = "worst Δ"


def group_sheet(
    group: pandas.DataFrame, weights: Mapping[str, float], *, attributed: bool
) -> Sheet:
    """Return the table of one model and objective set: rows of ``summarise``."""
    found: dict[str, dict[str, Row]] = {}  # each algorithm's rows by objective
    for row in records(group):
        found.setdefault(row["algorithm"], {}).setdefault(row["objective"], row)
    lines = sorted(found.values(), key=_order)
    first = [next(iter(rows.values())) for rows in lines]
    names = list(dict.fromkeys(name for rows in lines for name in rows))
    competing = [_contends(row) for row in first]
    finals = [ranked([_final(rows.get(name)) for rows in lines], competing) for name in names]
    gains = [change(*(row[f"score_{part}"] for part in ("delta", "low", "high"))) for row in first]
    after = {
        "worst gain": ranked(
            [amount(row["worst_gain"], sign="+") for row in first],
            [_harmless(row) for row in first],
        ),
        WORST: ranked([_worst(rows) for rows in lines], competing),
        "scalarized gain": ranked(gains, competing),
        "Δm %": ranked([amount(row["delta_m"], 1, "+") for row in first], competing, digits=1),
        "tokens": [amount(row["tokens"], 1) for row in first],
        "seeds": [count(row["seeds"]) for row in first],
    }
    if group["worst_gain"].isna().all():
        del after["worst gain"]
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
        lead=" ".join(filter(None, [weights_line(weights), geometry_line(group)])),
        details={name: _details(weights.get(name), starts[name]) for name in names},
    )


def _order(rows: Mapping[str, Row]) -> tuple[bool, bool, bool, float]:
    """Return what an algorithm's rows are sorted by: the best worst gain of those that gained."""
    row = next(iter(rows.values()))
    value = row["worst_change"] if np.isnan(row["worst_gain"]) else row["worst_gain"]
    idle = not row["reference"] and not _contends(row)
    return row["reference"], idle, not (_harmless(row) and value > 0), -value


def _harmless(row: Row) -> bool:
    return _contends(row) and not row["lossy_runs"]


def _contends(row: Row) -> bool:
    return bool(not row["reference"] and row["succeeded"] and not row["collapsed"])


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
