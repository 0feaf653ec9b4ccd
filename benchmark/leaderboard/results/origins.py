"""Read where the runs of a leaderboard come from, and refuse to mix different provenance."""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.tracking import names
from benchmark.tracking.record import Kind, RunRecord
from benchmark.tracking.scales import SCALES

SCHEMA_VERSION = 2  # of what is published: provenance.json and the columns of the tables
ROW = ("model", "objectives", "algorithm", "seed")  # how the tables name a run
PER_MODEL = names.LEARNING_RATE  # what a study may set for one model alone
SETTINGS = (names.TRAINING, names.TASK, names.SAMPLING, SCALES)
PREFIXES = (names.ENVIRONMENT, names.HARDWARE, names.ALGORITHM_SETTINGS, *SETTINGS)
_GPUS = re.compile(r"\d+ x ")  # how many there are of a kind says nothing of what they compute


@dataclass(frozen=True)
class Origin:
    """One run's provenance, as it was tracked.

    Attributes:
        settings: What has to agree between runs that stand side by side, besides the
            environment: budget, data, sampling, objectives, the parameters of algorithms, models.
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


def wanted(kind: Kind, name: str) -> bool:
    """Say whether :func:`origin_of` reads this of a run, besides its tags."""
    return kind == "params" and (name == names.MODEL_SETTINGS or name.startswith(PREFIXES))


def origin_of(run: RunRecord, cell: ExpectedCell) -> Origin:
    """Return the provenance of a run of the cell."""
    return Origin(
        run_id=run.id,
        cell_hash=run.tags[names.CELL_HASH],
        seed=int(run.tags[names.SEED]),
        git_commit=run.tags[names.GIT_COMMIT],
        environment_hash=run.tags[names.ENVIRONMENT_HASH],
        environment=below(names.ENVIRONMENT, run.params),
        hardware=below(names.HARDWARE, run.params),
        start_time=_time(run.start_time),
        end_time=_time(run.end_time),
        settings=_settings(run, cell),
    )


def _settings(run: RunRecord, cell: ExpectedCell) -> dict[str, str]:
    found = {name: value for name, value in run.params.items() if name.startswith(SETTINGS)}
    if PER_MODEL in found:
        found[f"{PER_MODEL} of {cell.model}"] = found.pop(PER_MODEL)
    for name, value in below(names.ALGORITHM_SETTINGS, run.params).items():
        found[f"algorithms.{cell.algorithm}.{name}"] = value
    if names.MODEL_SETTINGS in run.params:
        # By the entry: the samples of one recipe, which the tables show as one model, are others.
        found[f"models.{run.tags[names.MODEL]}"] = run.params[names.MODEL_SETTINGS]
    found[f"objectives.{cell.objectives}"] = ", ".join(cell.names)
    if not cell.reference:  # a reference's one weight is in its algorithm's id
        pairs = zip(cell.names, cell.weights, strict=True)
        found[f"weights.{cell.objectives}"] = ", ".join(f"{name} {w:.6g}" for name, w in pairs)
    return {**found, **cell.settings}


def differing(origins: Iterable[Origin]) -> dict[str, Counter[str]]:
    """Return the settings that differ between runs, each with its values and their numbers of runs.

    A setting that only some runs have does not differ; the estimator, an axis that leaderboards
    compare, is never counted.
    """
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for origin in origins:
        for name, value in origin.settings.items():
            tallies[name][value] += 1
    return {n: tally for n, tally in tallies.items() if len(tally) > 1 and n != names.ESTIMATOR}


def check_unmixed(study: str, origins: Collection[Origin], *, allow_mixed: bool) -> str:
    """Return what differs between the runs' provenance, in words; empty if nothing does.

    Compared are environments, kinds of hardware, and settings; the code that determines a result
    is in the cells' hashes, and runs of another hash do not count in the first place. A difference
    is an error unless ``allow_mixed`` is set.
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
    packages = sorted({name for origin in origins for name in origin.environment})
    tallies = {name: Counter(o.environment.get(name, "none") for o in origins) for name in packages}
    parts = [_tally(name, tally) for name, tally in tallies.items() if len(tally) > 1]
    return f"{environments} environments: " + ("; ".join(parts) or "versions were not tracked")


def _tally(name: str, tally: Counter[str]) -> str:
    return f"{name} " + ", ".join(f"{value} ({runs} runs)" for value, runs in sorted(tally.items()))


def provenance_record(
    study: str,
    origins: Mapping[str, Origin],
    missing: Mapping[str, str],
    lock_hashes: Mapping[str, str] | None = None,
    *,
    expected: Mapping[str, ExpectedCell],
) -> dict[str, Any]:
    """Return the content of ``provenance.json``. It does not depend on the time.

    Its form is that of ``benchmark/leaderboard/provenance.schema.json``. ``row`` of a cell says
    under which model, objective set, algorithm and seed the tables show it.
    """
    runs = origins.values()
    scales = {
        cell: found for cell, each in origins.items() if (found := below(SCALES, each.settings))
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study,
        "cells": {
            cell: {
                "row": {axis: getattr(expected[cell], axis) for axis in ROW},
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
        **({"scales": scales} if scales else {}),
        "start_time": min(origin.start_time for origin in runs),
        "end_time": max(origin.end_time for origin in runs),
    }


def below(prefix: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters with this prefix, by the rest of their names."""
    return {
        sys.intern(name.removeprefix(prefix)): value
        for name, value in values.items()
        if name.startswith(prefix)
    }


def _time(milliseconds: int | None) -> str:
    """Return a time as text, in UTC; empty if there is none."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
