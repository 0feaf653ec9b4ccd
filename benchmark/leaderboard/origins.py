"""Where the runs of a leaderboard come from, and whether they may stand side by side."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas

from benchmark.errors import CrosstalkError


@dataclass(frozen=True)
class Origin:
    """One run's provenance, as it was tracked."""

    run_id: str
    cell_hash: str
    seed: int
    git_commit: str
    environment_hash: str
    environment: Mapping[str, str]
    hardware: Mapping[str, str]
    start_time: str
    end_time: str


def origin_of(run: pandas.Series) -> Origin:
    """Return the provenance of a run, given as a row of :func:`benchmark.tracked.tracked_runs`."""
    return Origin(
        run_id=run["run_id"],
        cell_hash=run["tags.cell_hash"],
        seed=int(run["tags.seed"]),
        git_commit=run["tags.git_commit"],
        environment_hash=run["tags.environment_hash"],
        environment=_below("params.environment.", run),
        hardware=_below("params.hardware.", run),
        start_time=run["start_time"].isoformat(timespec="milliseconds"),
        end_time=run["end_time"].isoformat(timespec="milliseconds"),
    )


def check_unmixed(study: str, origins: Collection[Origin], *, allow_mixed: bool) -> str:
    """Return what differs between the runs' environments, in words; empty if nothing does.

    Raises:
        CrosstalkError: Something differs and ``allow_mixed`` is not set.
    """
    environments = len({origin.environment_hash for origin in origins})
    if environments == 1:
        return ""
    names = sorted({name for origin in origins for name in origin.environment})
    tallies = {name: Counter(o.environment.get(name, "none") for o in origins) for name in names}
    parts = [
        f"{name} " + ", ".join(f"{value} ({runs} runs)" for value, runs in sorted(tally.items()))
        for name, tally in tallies.items()
        if len(tally) > 1
    ]
    mixture = f"{environments} environments: " + ("; ".join(parts) or "versions were not tracked")
    if not allow_mixed:
        raise CrosstalkError(
            f"study {study!r}: its runs come from {mixture}. Train the cells of one of them again, "
            "or use --allow-mixed to mix and label them"
        )
    return mixture


def provenance_record(
    study: str, origins: Mapping[str, Origin], missing: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of ``provenance.json``. It does not depend on when it is asked for."""
    runs = origins.values()
    return {
        "schema": 1,
        "study": study,
        "cells": {
            cell: {
                "cell_hash": origin.cell_hash,
                "run_id": origin.run_id,
                "seed": origin.seed,
                "git_commit": origin.git_commit,
                "environment": origin.environment_hash,
                "hardware": dict(origin.hardware),
                "start_time": origin.start_time,
                "end_time": origin.end_time,
            }
            for cell, origin in origins.items()
        },
        "missing": dict(missing),
        "seeds": sorted({origin.seed for origin in runs}),
        "git_commits": sorted({origin.git_commit for origin in runs}),
        "environments": {o.environment_hash: dict(o.environment) for o in runs},
        "start_time": min(origin.start_time for origin in runs),
        "end_time": max(origin.end_time for origin in runs),
    }


def _below(prefix: str, run: pandas.Series) -> dict[str, str]:
    return {
        str(name).removeprefix(prefix): value
        for name, value in run.items()
        if str(name).startswith(prefix) and not pandas.isna(value)
    }
