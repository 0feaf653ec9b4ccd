"""Assemble the tables of one model and objective set: its results, its interference matrix."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas

from benchmark.leaderboard.pages.markdown import NOTHING, number
from benchmark.leaderboard.pages.notes import apart_line, geometry_line, weights_line
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


APART = "evaluation only"  # marks the column of an objective that nothing is trained on


def group_sheet(
    group: pandas.DataFrame,
    weights: Mapping[str, float],
    *,
    attributed: bool,
    apart: pandas.DataFrame | None = None,
) -> Sheet:
    """Return the table of one model and objective set: rows of ``summarise``.

    ``apart`` has the rows of ``summarise_apart`` of the same place, whose columns come behind those
    of the objectives that are trained on. They are marked, and have no podium and no flag.
    """
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
    algorithms = [row["algorithm"] for row in first]
    others = {} if apart is None else dict(_columns_apart(apart, algorithms))
    told = [weights_line(weights), geometry_line(group), apart_line(_names_apart(apart))]
    return Sheet(
        kind="group",
        name=f"{model}-{objectives}",
        caption=f"{model}, {objectives}",
        header=["algorithm", *names, *others, *after],
        rows=transposed(
            [
                [algorithm(row) for row in first],
                *finals,
                *(cells for _, cells in others.values()),
                *after.values(),
            ]
        ),
        place=(model, objectives),
        lead=" ".join(filter(None, told)),
        details={name: _details(weights.get(name), starts[name]) for name in names}
        | {name: _details(None, start) for name, (start, _) in others.items()},
    )


def _names_apart(apart: pandas.DataFrame | None) -> list[str]:
    return [] if apart is None else list(apart["objective"].unique())


def _columns_apart(
    apart: pandas.DataFrame, algorithms: Sequence[str]
) -> Iterator[tuple[str, tuple[float, list[Cell]]]]:
    """Yield the head of each objective's column, where it started, and a cell per algorithm."""
    for name in _names_apart(apart):
        rows = {row["algorithm"]: row for row in records(apart[apart["objective"] == name])}
        start = float(np.mean([row["initial"] for row in rows.values()]))
        cells = [_value(rows.get(algorithm_)) for algorithm_ in algorithms]
        yield f"{name} ({APART})", (start, cells)


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
    """Return an objective's value after training, with its change and whether it is given up."""
    if row is None:
        return Cell(NOTHING)
    flag = Flag.INTERFERED if row["interfered"] else Flag.NONE
    value = _value(row)
    return value._replace(flag=flag, why=row["attribution"]) if value.change else value


def _value(row: Row | None) -> Cell:
    """Return an objective's value after training, with its change."""
    if row is None or pandas.isna(row["final"]):
        return Cell(NOTHING)
    moved = change(row["delta"], row["delta_low"], row["delta_high"])
    return amount(row["final"])._replace(change=moved)


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
