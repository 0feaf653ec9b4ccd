"""Collect what the page shows besides tables: the charts' data, the runs, their number."""

import json
from typing import Any
from urllib.parse import urlsplit

import pandas
from markupsafe import Markup

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.notes import verdict_words
from benchmark.leaderboard.results.evidence import PLACE
from benchmark.leaderboard.results.origins import Origin
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.curves import families, rounded, titles
from benchmark.leaderboard.site.tables import place_name
from benchmark.tracking.address import shown

CHARTED = {  # what the charts call it -> column of the summary
    "initial": "initial",
    "final": "final",
    "delta": "delta",
    "low": "delta_low",
    "high": "delta_high",
}
HARDWARE = {  # what is tracked of a machine -> how it is told
    "gpus": "{}",
    "gpu_driver": "GPU driver {}",
    "cpu": "{}",
    "cores": "{} cores",
    "memory_gib": "{} GiB of memory",
}
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def payload(frames: Frames, curves: pandas.DataFrame) -> dict[str, Any]:
    """Return the charts' data: a list of places, each with its algorithms' results and curves,
    the plane of gain against loss, and what families of curves are called.

    A run's curves are ``{family: {objective: [steps, values]}}``, see
    :func:`benchmark.leaderboard.site.curves.families`.
    """
    results, summary = frames.results, frames.summary
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
    found = {family for each in runs.values() for run in each for family in run["curves"]}
    return {"places": places, "plane": _plane(frames.plane), "titles": titles(found)}


def _plane(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return each algorithm's gain and loss with the ends of their intervals."""
    return [
        {
            "id": str(row["algorithm"]),
            "reference": bool(row["reference"]),
            "verdict": verdict_words(row),
            **{
                f"{key}{end}": rounded(row[f"{column}{end}"])
                for key, column in (("gain", "gain"), ("loss", "worst_loss"))
                for end in ("", "_low", "_high")
            },
        }
        for row in table.to_dict("records")
    ]


def _algorithm(frame: pandas.DataFrame) -> dict[str, Any]:
    """Return an algorithm's results, given its rows, one an objective; lists are by objective."""
    rows = frame.to_dict("records")
    return {
        "id": str(rows[0]["algorithm"]),
        "reference": bool(rows[0]["reference"]),
        "seeds": int(rows[0]["seeds"]),
        "interfered": [bool(row["interfered"]) for row in rows],
        "why": [row["attribution"] for row in rows],
        **{name: [rounded(row[column]) for row in rows] for name, column in CHARTED.items()},
    }


def as_script(data: Any) -> Markup:
    """Return data as JSON that can stand in a ``<script>`` element: no ``<``, ``>`` or ``&``."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in ESCAPES.items():
        text = text.replace(character, escape)
    return Markup(text)


def provenance(results: Table, tracking: str) -> dict[str, Any]:
    """Return the runs that count, the cells without one, and where the runs were made."""
    origins = results.origins.values()
    environments = {o.environment_hash: dict(sorted(o.environment.items())) for o in origins}
    return {
        "runs": [_run(cell, origin, tracking) for cell, origin in results.origins.items()],
        "missing": results.missing,
        "mixture": results.mixture,
        "selection": results.selection,
        "notes": results.notes,
        "environments": dict(sorted(environments.items())),
        "hardware": sorted({_hardware(origin) for origin in origins}),
        "commits": sorted({origin.git_commit for origin in origins}),
    }


def counts(frames: Frames) -> dict[str, Any]:
    """Return how large the study is, and when it was trained."""
    results, summary = frames.results, frames.summary
    competing = summary[~summary["reference"]]
    origins = results.origins.values()
    return {
        "models": summary["model"].nunique(),
        "sets": summary["objectives"].nunique(),
        "objectives": summary["objective"].nunique(),
        "algorithms": competing["algorithm"].nunique(),
        "references": summary["algorithm"].nunique() - competing["algorithm"].nunique(),
        "seeds": len({origin.seed for origin in origins}),
        "cells": len(results.origins),
        "expected": len(results.expected),
        "first_day": min(origin.start_time for origin in origins)[:10],
        "last_day": max(origin.end_time for origin in origins)[:10],
    }


def _run(cell: str, origin: Origin, tracking: str) -> dict[str, str]:
    """Return what the page says of a run; ``link`` is empty unless the store is a server."""
    base = shown(tracking).partition("#")[0].partition("?")[0].rstrip("/")
    server = urlsplit(tracking).scheme in ("http", "https")
    return {
        "cell": cell,
        "run_id": origin.run_id,
        "link": f"{base}/#/runs/{origin.run_id}" if server else "",
        "cell_hash": origin.cell_hash,
        "commit": origin.git_commit,
        "environment": origin.environment_hash,
        "start": origin.start_time[:19].replace("T", " "),
        "end": origin.end_time[:19].replace("T", " "),
    }


def _hardware(origin: Origin) -> str:
    """Return what a run's machine had, in words; what it did not have is left out."""
    there = {name: value for name, value in origin.hardware.items() if value != "none"}
    known = [HARDWARE[name].format(there.pop(name)) for name in HARDWARE if name in there]
    others = [f"{name.replace('_', ' ')} {value}" for name, value in sorted(there.items())]
    return ", ".join([*known, *others])
