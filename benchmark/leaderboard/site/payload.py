"""The data that the page's charts are drawn from."""

import json
from typing import Any

import pandas
from markupsafe import Markup

from benchmark.leaderboard.frames.summary import PLACE
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.curves import families, rounded
from benchmark.leaderboard.site.findings import place_name
from benchmark.leaderboard.site.tables import interval_of, text_of

ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def payload(results: Table, summary: pandas.DataFrame, curves: pandas.DataFrame) -> dict[str, Any]:
    """Return the charts' data: a list of places, each with its algorithms' results and curves.

    A run's curves are ``{family: {objective: [steps, values]}}``, see
    :func:`benchmark.leaderboard.site.curves.families`.
    """
    by_cell = dict(iter(curves.groupby("cell", sort=False)))
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for cell in results.origins:
        wanted = results.expected[cell]
        if cell in by_cell:
            run = {"seed": wanted.seed, "curves": families(by_cell[cell], wanted.names)}
            runs.setdefault((wanted.model, wanted.objectives, wanted.algorithm), []).append(run)
    places = []
    for place, group in summary.groupby(PLACE, sort=False):
        model, objectives = map(str, place)
        places.append(
            {
                "name": place_name((model, objectives), summary),
                "objectives": list(group["objective"].unique()),
                "algorithms": [
                    _algorithm(rows) | {"runs": runs.get((model, objectives, str(name)), [])}
                    for name, rows in group.groupby("algorithm", sort=False)
                ],
            }
        )
    return {"places": places}


def _algorithm(frame: pandas.DataFrame) -> dict[str, Any]:
    """Return an algorithm's results, given its rows, one an objective; lists are by objective."""
    rows = frame.to_dict("records")
    intervals = [interval_of(row) for row in rows]
    return {
        "id": str(rows[0]["algorithm"]),
        "reference": bool(rows[0]["reference"]),
        "seeds": int(rows[0]["seeds"]),
        "interfered": [bool(row["interfered"]) for row in rows],
        "why": [text_of(row.get("attribution")) for row in rows],
        **{
            column: [rounded(row[column]) for row in rows]
            for column in ("initial", "final", "delta")
        },
        "low": [rounded(low) for low, _ in intervals],
        "high": [rounded(high) for _, high in intervals],
    }


def as_script(data: Any) -> Markup:
    """Return data as JSON that can stand in a ``<script>`` element: no ``<``, ``>`` or ``&``."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)
