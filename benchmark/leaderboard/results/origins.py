"""Where the runs of a leaderboard come from, and whether they may stand side by side."""

import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results.cells import ExpectedCell as Cell

ESTIMATOR = "training.estimator"  # an axis that leaderboards compare, no mixture
PER_MODEL = "training.learning_rate"  # what a study may set for a model of its own
SETTINGS = ("training.", "task.", "sampling.")
_SETTINGS = tuple(f"params.{kind}" for kind in SETTINGS)
_GPUS = re.compile(r"\d+ x ")  # how many there are of a kind says nothing of what they compute


@dataclass(frozen=True)
class Origin:
    """One run's provenance, as it was tracked.

    Attributes:
        settings: What has to agree between runs that stand side by side, beside the environment:
            budget, data, sampling, objectives, the parameters of algorithms, models.
    """

    run_id: str
    cell_hash: str
    seed: int
    git_commit: str
    environment_hash: str
    environment: Mapping[str, str]
    hardware: Mapping[str, str]
    start_time: str
    end_time: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def hardware_class(self) -> str:
        """The kinds of GPU, or CPU."""
        gpus = self.hardware.get("gpus", "none")
        return "CPU" if gpus == "none" else _GPUS.sub("", gpus)


def wanted(name: str) -> bool:
    """Say whether :func:`origin_of` reads this of a run, as ``reading.read_runs``."""
    kinds = ("environment.", "hardware.", "algorithm.", *SETTINGS)
    return name == "params.model" or name.startswith(tuple(f"params.{kind}" for kind in kinds))


def origin_of(run: Mapping[str, Any], cell: Cell) -> Origin:
    """Return the provenance of a run, given as a record of ``reading.read_runs``.

    Args:
        run: The record.
        cell: What the study says of the run's cell.
    """
    return Origin(
        run_id=run["run_id"],
        cell_hash=run["tags.cell_hash"],
        seed=int(run["tags.seed"]),
        git_commit=run["tags.git_commit"],
        environment_hash=run["tags.environment_hash"],
        environment=below("params.environment.", run),
        hardware=below("params.hardware.", run),
        start_time=_time(run["start_time"]),
        end_time=_time(run["end_time"]),
        settings=_settings(run, cell),
    )


def _settings(run: Mapping[str, Any], cell: Cell) -> dict[str, str]:
    found = {
        sys.intern(name.removeprefix("params.")): value
        for name, value in run.items()
        if name.startswith(_SETTINGS)
    }
    if PER_MODEL in found:
        found[f"{PER_MODEL} of {cell.model}"] = found.pop(PER_MODEL)
    for name, value in below("params.algorithm.", run).items():
        found[f"algorithms.{cell.algorithm}.{name}"] = value
    if "params.model" in run:
        found[f"models.{cell.model}"] = run["params.model"]
    found[f"objectives.{cell.objectives}"] = ", ".join(cell.names)
    if not cell.reference:  # whose weights, of one objective alone, its algorithm's id tells
        pairs = zip(cell.names, cell.weights, strict=True)
        found[f"weights.{cell.objectives}"] = ", ".join(f"{name} {w:.6g}" for name, w in pairs)
    return {**found, **cell.settings}


def differing(origins: Iterable[Origin]) -> dict[str, Counter[str]]:
    """Return the settings that differ between runs, each with its values and their numbers of runs.

    A setting that only some runs have does not differ; the estimator is never counted.
    """
    tallies: dict[str, Counter[str]] = {}
    for origin in origins:
        for name, value in origin.settings.items():
            tallies.setdefault(name, Counter())[value] += 1
    return {n: tally for n, tally in tallies.items() if len(tally) > 1 and n != ESTIMATOR}


def check_unmixed(study: str, origins: Collection[Origin], *, allow_mixed: bool) -> str:
    """Return what differs between the runs' provenance, in words; empty if nothing does.

    Compared are environments, kinds of hardware, and settings; the code that determines a result
    is in the cells' hashes, and runs of another hash do not count in the first place.

    Raises:
        CrosstalkError: Something differs and ``allow_mixed`` is not set.
    """
    kinds = Counter(origin.hardware_class for origin in origins)
    parts = [
        _environments(origins),
        _tally("hardware", kinds) if len(kinds) > 1 else "",
        "; ".join(_tally(name, tally) for name, tally in sorted(differing(origins).items())),
    ]
    mixture = "; ".join(part for part in parts if part)
    if mixture and not allow_mixed:
        raise CrosstalkError(
            f"study {study!r}: its runs come from {mixture}. Train the cells of one of them again, "
            "or use --allow-mixed to mix and label them"
        )
    return mixture


def _environments(origins: Collection[Origin]) -> str:
    environments = len({origin.environment_hash for origin in origins})
    if environments == 1:
        return ""
    names = sorted({name for origin in origins for name in origin.environment})
    tallies = {name: Counter(o.environment.get(name, "none") for o in origins) for name in names}
    parts = [_tally(name, tally) for name, tally in tallies.items() if len(tally) > 1]
    return f"{environments} environments: " + ("; ".join(parts) or "versions were not tracked")


def _tally(name: str, tally: Counter[str]) -> str:
    return f"{name} " + ", ".join(f"{value} ({runs} runs)" for value, runs in sorted(tally.items()))


def provenance_record(
    study: str,
    origins: Mapping[str, Origin],
    missing: Mapping[str, str],
    lock_hashes: Mapping[str, str] | None = None,
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
                "hardware_class": origin.hardware_class,
                "start_time": origin.start_time,
                "end_time": origin.end_time,
            }
            for cell, origin in origins.items()
        },
        "missing": dict(missing),
        "lock_hashes": dict(lock_hashes or {}),
        "seeds": sorted({origin.seed for origin in runs}),
        "git_commits": sorted({origin.git_commit for origin in runs}),
        "environments": {o.environment_hash: dict(o.environment) for o in runs},
        "start_time": min(origin.start_time for origin in runs),
        "end_time": max(origin.end_time for origin in runs),
    }


def below(prefix: str, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a run's record whose names start so, by the rest of their names."""
    return {
        sys.intern(name.removeprefix(prefix)): value
        for name, value in run.items()
        if name.startswith(prefix)
    }


def _time(milliseconds: int | None) -> str:
    """Return a time as text, in UTC; empty if there is none."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
