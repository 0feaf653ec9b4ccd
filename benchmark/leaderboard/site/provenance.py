"""What the page says of the runs behind it, and of what they amount to."""

from typing import Any
from urllib.parse import urlsplit

import pandas

from benchmark.leaderboard.pages.numbers import number
from benchmark.leaderboard.results.origins import Origin
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.curves import validation_rows
from benchmark.tracking.address import shown


def provenance(results: Table, tracking: str) -> dict[str, Any]:
    """Return the runs that count, the cells that have none, and where all of it was made."""
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


def validation(results: Table, curves: pandas.DataFrame) -> list[dict[str, str]]:
    """Return the validation curves in numbers, a row per run and objective."""
    return [
        {
            "cell": row["cell"],
            "objective": row["objective"],
            "best_step": str(row["best_step"]),
            "fall": number(row["best"] - row["last"]),
            **{key: number(row[key]) for key in ("first", "best", "last")},
        }
        for row in validation_rows(results, curves)
    ]


def counts(results: Table, summary: pandas.DataFrame) -> dict[str, Any]:
    """Return how large the study is, and when it was trained."""
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
    parts = sorted(origin.hardware.items())
    there = [f"{name.replace('_', ' ')} {value}" for name, value in parts if value != "none"]
    return ", ".join(there)
