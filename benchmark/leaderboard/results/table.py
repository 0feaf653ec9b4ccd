"""From tracked runs to the tidy table that every leaderboard is made of."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.interference.metrics import (
    drop_from_best,
    hypervolume_gain,
    interfered_with,
    worst_change,
)
from benchmark.leaderboard.results import costs, origins
from benchmark.leaderboard.results.cells import ExpectedCell, Missing
from benchmark.leaderboard.results.origins import ESTIMATOR, Origin, check_unmixed, origin_of
from benchmark.tracking.reading import read_runs, read_series

Run = Mapping[str, Any]  # a record of benchmark.tracking.reading.read_runs

PER_OBJECTIVE = {
    "initial": "test/{}/initial",
    "final": "test/{}",
    "delta": "test/{}/delta",
    "delta_se": "test/{}/delta_se",
}
PER_RUN = {
    "score_delta": "test/score/delta",
    "score_delta_se": "test/score/delta_se",
    "tokens": "test/tokens",
    "tokens_initial": "test/tokens/initial",
    "prompts": "test/prompts",
}
UNFINISHED = {
    "running": "running, or died without a word",
    "trained": "trained, not evaluated",
    "failed": "failed",
    "killed": "killed",
}
TAGS = ("cell", "cell_hash", "status", "seed", "git_commit", "environment_hash", "attribution")


@dataclass(frozen=True)
class Table:
    """The results of a study, or of several, that count.

    Attributes:
        study: The study's name; of several, joined by `` + ``.
        expected: Its cells by id, in its order.
        cells: A row per model, objective set, algorithm, seed and objective, in the study's order:
            ``initial``, ``final``, ``delta``, ``delta_se``, ``drop_from_best``, ``interfered``,
            ``attribution`` (why, where it was diagnosed); and, the same for all objectives of a
            run, ``study``, ``estimator``, ``score_delta``, ``score_delta_se``, ``worst_change``,
            ``hypervolume_gain``, ``tokens``, ``tokens_initial``, ``prompts``, ``environment``.
        missing: The cells that are not in it.
        origins: Where each counted run comes from, by cell.
        mixture: What differs between the runs' provenance, in words; empty if nothing does.
        costs: A row per run: :func:`benchmark.leaderboard.results.costs.run_costs`.
        selection: Which cells were chosen, in words; empty if all were.
        notes: What else a reader has to know, a sentence each.
        lock_hashes: Digests of the project's locks of packages, by file.
    """

    study: str
    expected: Mapping[str, ExpectedCell]
    cells: pandas.DataFrame
    missing: tuple[Missing, ...]
    origins: Mapping[str, Origin]
    mixture: str
    costs: pandas.DataFrame = field(default_factory=pandas.DataFrame)
    selection: str = ""
    notes: tuple[str, ...] = ()
    lock_hashes: Mapping[str, str] = field(default_factory=dict)


def collect(
    uri: str,
    study: str,
    expected: Mapping[str, ExpectedCell],
    *,
    allow_mixed: bool = False,
    selection: str = "",
    lock_hashes: Mapping[str, str] | None = None,
) -> Table:
    """Collect the results of a study from the tracking store alone.

    A cell's result is that of its latest run which is complete, not superseded and of the cell's
    present hash.

    Args:
        uri: The tracking store.
        study: The study's name there.
        expected: The study's cells by id.
        allow_mixed: Whether runs of different provenance may stand side by side.
        selection: Which cells were chosen, in words; empty if all were.
        lock_hashes: Digests of the project's locks of packages, by file.

    Raises:
        CrosstalkError: The store cannot be used, no cell has a result, or their provenance
            differs and ``allow_mixed`` is not set.
    """
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in read_runs(uri, study, _wanted):
        runs[run.get("tags.cell", "")].append(run)
    found = {cell: _result(runs[cell], wanted) for cell, wanted in expected.items()}
    missing = tuple(Missing(cell, run) for cell, run in found.items() if isinstance(run, str))
    counted = {cell: run for cell, run in found.items() if not isinstance(run, str)}
    if not counted:
        reasons = pandas.Series([each.why for each in missing]).value_counts()
        tally = "; ".join(f"{number} {why}" for why, number in reasons.items())
        raise CrosstalkError(
            f"study {study!r}: no result yet; its {len(expected)} cells: {tally or 'none'}"
        )
    known = {cell: origin_of(run, expected[cell]) for cell, run in counted.items()}
    mixture = check_unmixed(study, known.values(), allow_mixed=allow_mixed)
    wanted_curves = {
        run["run_id"]: [*_validation(expected[cell].names), *costs.curves(run)]
        for cell, run in counted.items()
    }
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = defaultdict(dict)
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    for run_id, name, steps, values in read_series(uri, wanted_curves):
        if name.startswith(costs.SECONDS):
            totals[run_id][name] = math.fsum(values)
        else:
            curves[run_id][name] = steps, values
    cells = _tidy(study, expected, counted, curves)
    spent = costs.run_costs(study, expected, counted, totals)
    return Table(
        *(study, expected, cells, missing, known, mixture, spent),
        selection=selection,
        lock_hashes=lock_hashes or {},
    )


def _wanted(name: str) -> bool:
    """Say whether a leaderboard reads this of a run."""
    return (
        name in _TAGS
        or name.startswith("metrics.test/")
        or origins.wanted(name)
        or costs.wanted(name)
    )


_TAGS = frozenset(f"tags.{name}" for name in TAGS)


def _result(runs: Sequence[Run], wanted: ExpectedCell) -> Run | str:
    """Return the run that counts for a cell, of all its runs, or why there is none."""
    present = [run for run in runs if run["tags.cell_hash"] == wanted.cell_hash]
    valid = [run for run in present if run["tags.status"] != "superseded"]
    if not valid:
        if not runs:
            return "never started"
        return "superseded by a deleted run" if present else "only of older code or settings"
    complete = [run for run in valid if run["tags.status"] == "complete"]
    if not complete:
        return UNFINISHED[valid[-1]["tags.status"]]
    latest = complete[-1]
    needed = [name for name in _metrics(wanted.names) if not name.endswith("_se")]
    absent = [name for name in needed if math.isnan(latest.get(f"metrics.{name}", math.nan))]
    return f"evaluated without {', '.join(absent)}" if absent else latest


def _metrics(names: Iterable[str]) -> list[str]:
    per_objective = [key.format(name) for name in names for key in PER_OBJECTIVE.values()]
    return per_objective + list(PER_RUN.values())


def _validation(names: Iterable[str]) -> list[str]:
    return [f"validation/{name}" for name in names]


def _tidy(
    study: str,
    expected: Mapping[str, ExpectedCell],
    counted: Mapping[str, Run],
    curves: Mapping[str, Mapping[str, tuple[list[int], list[float]]]],
) -> pandas.DataFrame:
    """Return the tidy rows of the runs that count, in the study's order."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)  # runs of the same objectives
    for cell in counted:
        alike[expected[cell].names].append(cell)
    order = {cell: position for position, cell in enumerate(counted)}
    frames = []
    for names, members in alike.items():
        cells, runs = [expected[c] for c in members], [counted[c] for c in members]
        frame = _rows(study, cells, runs)
        frame["drop_from_best"] = np.ravel([_drops(names, curves[r["run_id"]]) for r in runs])
        frame["order"] = np.repeat([order[cell] for cell in members], len(names))
        frames.append(frame)
    tidy = pandas.concat(frames, ignore_index=True).sort_values("order", kind="stable")
    return tidy[COLUMNS].reset_index(drop=True)


COLUMNS = [
    *("study", "model", "objectives", "estimator", "algorithm", "reference", "seed", "objective"),
    *("initial", "final", "delta", "delta_se", "drop_from_best", "interfered", "attribution"),
    *("worst_change", "hypervolume_gain", *PER_RUN, "environment"),
]


def _rows(study: str, cells: Sequence[ExpectedCell], runs: Sequence[Run]) -> pandas.DataFrame:
    """Return the rows of runs with the same objectives, a row per run and objective."""
    names = cells[0].names
    values = {  # each (run, objective)
        column: _values(runs, [key.format(name) for name in names])
        for column, key in PER_OBJECTIVE.items()
    }
    shared: dict[str, Any] = {  # each (run,)
        column: _values(runs, [key])[:, 0] for column, key in PER_RUN.items()
    }
    interfered = interfered_with(
        values["delta"],
        values["delta_se"],
        shared["score_delta"],
        shared["score_delta_se"],
        shared["prompts"] - 1,
    )
    shared |= {
        "worst_change": worst_change(values["delta"]),
        "hypervolume_gain": [
            hypervolume_gain(final, initial)
            for final, initial in zip(values["final"], values["initial"], strict=True)
        ],
        "estimator": [run.get(f"params.{ESTIMATOR}", "") for run in runs],
        "environment": [run["tags.environment_hash"] for run in runs],
        "study": [study] * len(runs),
    }
    for axis in ("model", "objectives", "algorithm", "reference", "seed"):
        shared[axis] = [getattr(cell, axis) for cell in cells]
    return pandas.DataFrame(
        {
            **{column: np.repeat(np.asarray(v), len(names)) for column, v in shared.items()},
            **{column: found.ravel() for column, found in values.items()},
            "objective": list(names) * len(runs),
            "interfered": interfered.ravel(),
            "attribution": [text for run in runs for text in attribution(run, names)],
        }
    )


def _values(runs: Sequence[Run], metrics: Sequence[str]) -> np.ndarray:
    """Return metrics of runs: (run, metric), NaN where a run lacks one."""
    keys = [f"metrics.{name}" for name in metrics]
    return np.array([[run.get(key, math.nan) for key in keys] for run in runs], dtype=float)


def attribution(run: Run, names: Sequence[str]) -> list[str]:
    """Return why each objective is interfered with, as the run's tag says; empty if it does not.

    Raises:
        CrosstalkError: The tag is no JSON object of texts.
    """
    text = run.get("tags.attribution", "{}")
    try:
        why = json.loads(text)
    except ValueError:
        why = None
    if not isinstance(why, dict) or not all(isinstance(each, str) for each in why.values()):
        raise CrosstalkError(
            f"run {run['run_id']}: tag 'attribution': found {text[:80]!r}, allowed is a JSON "
            "object, objective to text"
        )
    return [why.get(name, "") for name in names]


def _drops(names: Sequence[str], curves: Mapping[str, tuple[list[int], list[float]]]) -> np.ndarray:
    """Return each objective's drop from its best validation value: (objective,), NaN if none."""
    series = [
        dict(zip(*points, strict=True)) if points else {}
        for points in map(curves.get, _validation(names))
    ]
    steps = sorted({step for each in series for step in each})
    if not steps:
        return np.full(len(names), np.nan)
    return drop_from_best([[each.get(step, math.nan) for each in series] for step in steps])
