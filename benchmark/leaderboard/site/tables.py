"""Show the published tables on the page: colours, whiskers, and what to sort by."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.markdown import minus, number, share
from benchmark.leaderboard.pages.places import WORST
from benchmark.leaderboard.pages.sheet import Cell, Flag, Sheet
from benchmark.leaderboard.results.evidence import PLACE

View = dict[str, Any]  # what the template reads
STEPS = 5  # shades of a colour
SMALLEST = 0.05  # change that has the strongest colour, if none is larger


def place_name(place: Sequence[str], summary: pandas.DataFrame) -> str:
    """Return what a model and objective set are called: the model alone if there is one set."""
    model, objectives = map(str, place)
    return model if summary["objectives"].nunique() == 1 else f"{model} on {objectives}"


def place_tables(sheets: Sequence[Sheet]) -> list[View]:
    """Return each model and objective set with its tables, and the scale of the matrix's colours.

    The scale of the whiskers is the same for the whole page.
    """
    groups = [sheet for sheet in sheets if sheet.kind == "group"]
    matrices = {sheet.place: sheet for sheet in sheets if sheet.kind == "matrix"}
    changes = [cell.change for sheet in groups for row in sheet.rows for cell in row if cell.change]
    reach = largest(end for each in changes for end in (each.value, each.low, each.high))
    return [
        {
            "sheet": sheet,
            "reach": reach,
            "matrix": (matrix := matrices.get(sheet.place)),
            "scale": largest(c.value for row in matrix.rows for c in row) if matrix else SMALLEST,
        }
        for sheet in groups
    ]


def heat_map(frames: Frames, sheets: Sequence[Sheet]) -> View:
    """Return what each algorithm did to each model: worst change and interference rate."""
    groups = [sheet for sheet in sheets if sheet.kind == "group"]
    rates = frames.results.cells.groupby([*PLACE, "algorithm"])["interfered"].mean()
    found = [{row[0].text: _effects(sheet, row) for row in sheet.rows} for sheet in groups]
    scale = largest(each["worst"].value for effects in found for each in effects.values())
    rows = []
    for first, *_ in next(sheet.rows for sheet in sheets if sheet.kind == "overall"):
        cells: list[View | None] = []
        for index, (sheet, effects) in enumerate(zip(groups, found, strict=True)):
            if first.text in effects:
                rate = float(rates[(*sheet.place, first.text)])
                cells.append(_heat_cell(effects[first.text], rate, scale, index))
            else:
                cells.append(None)
        rows.append({"algorithm": first, "cells": cells})
    heads = [place_name(sheet.place, frames.summary) for sheet in groups]
    return {"heads": heads, "rows": rows, "scale": number(scale, 2)}


def _effects(sheet: Sheet, row: Sequence[Cell]) -> View:
    """Return what training did to the objectives of a place: a row of its table in short."""
    cells = dict(zip(sheet.header, row, strict=True))
    objectives = {name: cells[name] for name in sheet.details if cells[name].change}
    return {
        "worst": cells[WORST],
        "given_up": [name for name, c in objectives.items() if c.flag == Flag.INTERFERED],
        "changes": ", ".join(
            f"{n} {minus(c.change.text)}" for n, c in objectives.items() if c.change
        ),
    }


def _heat_cell(effects: View, rate: float, scale: float, place: int) -> View:
    worst = effects["worst"].value
    return {
        **effects,
        "worst": minus(number(worst, 2, "+")),
        "rate": share(rate),
        "change_shade": shade(worst, scale),
        "rate_shade": shade(-rate, 1.0),
        "place": place,
    }


def largest(values: Iterable[float]) -> float:
    """Return the largest size of a change, to scale by; NaN does not count."""
    return max([SMALLEST, *(abs(value) for value in values if not math.isnan(value))])


def shade(value: float, scale: float) -> str:
    """Return the class of a colour: ``loss-1`` to ``loss-5``, ``gain-1`` to ``gain-5``, or none."""
    if math.isnan(value) or value == 0:
        return "none"
    step = min(STEPS, int(STEPS * abs(value) / scale) + 1)
    return f"{'loss' if value < 0 else 'gain'}-{step}"


def whisker(change: Cell, reach: float) -> dict[str, str]:
    """Return where a change and its interval lie on a line from 0 to 100; 50 is no change."""
    ends = {"at": change.value, "low": change.low, "high": change.high}
    return {
        name: f"{50 + 47 * max(-1.0, min(1.0, (change.value if math.isnan(v) else v) / reach)):.1f}"
        for name, v in ends.items()
    }


def sortable(cell: Cell) -> str:
    """Return a number for sorting by; empty for a text or a value that does not exist."""
    return "" if math.isnan(cell.value) else f"{cell.value:.6g}"


def textual(sheet: Sheet, column: int) -> bool:
    """Say whether a column holds text: names and reasons, no numbers."""
    return all(math.isnan(row[column].value) for row in sheet.rows)
