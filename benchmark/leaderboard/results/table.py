"""Collect tracked runs into the tidy table that every leaderboard is made of."""

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
from benchmark.leaderboard.results.origins import Origin, check_unmixed, origin_of
from benchmark.tracking import names
from benchmark.tracking.names import objective_metric
from benchmark.tracking.reading import read_runs, read_series
from benchmark.tracking.record import Kind, RunRecord

Curves = Mapping[str, tuple[list[int], list[float]]]  # of a run: metric -> steps, values

PER_OBJECTIVE = {  # column -> part of the objective's metric
    "initial": names.INITIAL,
    "final": "",
    "delta": names.DELTA,
    "delta_se": names.DELTA_SE,
}
PER_RUN = {  # column -> metric
    "score_delta": objective_metric(names.TEST, names.SCORE, names.DELTA),
    "score_delta_se": objective_metric(names.TEST, names.SCORE, names.DELTA_SE),
    "tokens": names.TEST_TOKENS,
    "tokens_initial": names.TEST_TOKENS_INITIAL,
    "prompts": names.TEST_PROMPTS,
}
UNFINISHED = {
    names.RUNNING: "still running, or killed before it could report",
    names.TRAINED: "trained, not evaluated",
    names.FAILED: "failed",
    names.KILLED: "killed",
}
TAGS = frozenset(
    {
        names.CELL,
        names.CELL_HASH,
        names.STATUS,
        names.SEED,
        names.GIT_COMMIT,
        names.ENVIRONMENT_HASH,
        names.ATTRIBUTION,
    }
)


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
        lock_hash: Digest of the project's lock of packages; empty if it has none.
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
    lock_hash: str = ""


def collect(
    uri: str, study: str, expected: Mapping[str, ExpectedCell], *, allow_mixed: bool = False
) -> Table:
    """Collect the results of a study from the tracking store alone.

    A cell's result is that of its latest run which is complete, not superseded and of the cell's
    present hash.
    """
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for run in read_runs(uri, study, _wanted):
        runs[run.tags.get(names.CELL, "")].append(run)
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
    curves, totals = _read_curves(uri, expected, counted)
    cells = _tidy(study, expected, counted, curves)
    spent = costs.run_costs(study, expected, counted, totals)
    return Table(study, expected, cells, missing, known, mixture, spent)


def _wanted(kind: Kind, name: str) -> bool:
    """Say whether a leaderboard reads this of a run."""
    if kind == "tags":
        return name in TAGS
    tested = kind == "metrics" and name.startswith(f"{names.TEST}/")
    return tested or origins.wanted(kind, name) or costs.wanted(kind, name)


def _read_curves(
    uri: str, expected: Mapping[str, ExpectedCell], counted: Mapping[str, RunRecord]
) -> tuple[Mapping[str, Curves], Mapping[str, Mapping[str, float]]]:
    """Return each run's validation curves, and its seconds summed over steps, by metric."""
    wanted = {
        run.id: [*_validation(expected[cell].names), *costs.curves(run)]
        for cell, run in counted.items()
    }
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = defaultdict(dict)
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    for run_id, name, steps, values in read_series(uri, wanted):
        if name.startswith(names.TIME):
            totals[run_id][name] = math.fsum(values)
        else:
            curves[run_id][name] = steps, values
    return curves, totals


def _result(runs: Sequence[RunRecord], wanted: ExpectedCell) -> RunRecord | str:
    """Return the run that counts for a cell, of all its runs, or why there is none."""
    present = [run for run in runs if run.tags[names.CELL_HASH] == wanted.cell_hash]
    valid = [run for run in present if run.status != names.SUPERSEDED]
    if not valid:
        if not runs:
            return "never started"
        return "superseded by a deleted run" if present else "only of older code or settings"
    complete = [run for run in valid if run.status == names.COMPLETE]
    if not complete:
        return UNFINISHED[valid[-1].status]
    latest = complete[-1]
    needed = [name for name in _metrics(wanted.names) if not name.endswith(names.DELTA_SE)]
    absent = [name for name in needed if math.isnan(latest.metrics.get(name, math.nan))]
    return f"evaluated without {', '.join(absent)}" if absent else latest


def _metrics(objectives: Iterable[str]) -> list[str]:
    parts = PER_OBJECTIVE.values()
    per_objective = [objective_metric(names.TEST, o, part) for o in objectives for part in parts]
    return per_objective + list(PER_RUN.values())


def _validation(objectives: Iterable[str]) -> list[str]:
    return [objective_metric(names.VALIDATION, objective) for objective in objectives]


def _tidy(
    study: str,
    expected: Mapping[str, ExpectedCell],
    counted: Mapping[str, RunRecord],
    curves: Mapping[str, Curves],
) -> pandas.DataFrame:
    """Return the tidy rows of the runs that count, in the study's order."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)  # runs of the same objectives
    for cell in counted:
        alike[expected[cell].names].append(cell)
    order = {cell: position for position, cell in enumerate(counted)}
    frames = []
    for objectives, members in alike.items():
        cells, runs = [expected[c] for c in members], [counted[c] for c in members]
        frame = _rows(study, cells, runs)
        frame["drop_from_best"] = np.ravel([_drops(objectives, curves[r.id]) for r in runs])
        frame["order"] = np.repeat([order[cell] for cell in members], len(objectives))
        frames.append(frame)
    tidy = pandas.concat(frames, ignore_index=True).sort_values("order", kind="stable")
    return tidy[COLUMNS].reset_index(drop=True)


COLUMNS = [
    *("study", "model", "objectives", "estimator", "algorithm", "reference", "seed", "objective"),
    *("initial", "final", "delta", "delta_se", "drop_from_best", "interfered", "attribution"),
    *("worst_change", "hypervolume_gain", *PER_RUN, "environment"),
]


def _rows(study: str, cells: Sequence[ExpectedCell], runs: Sequence[RunRecord]) -> pandas.DataFrame:
    """Return the rows of runs with the same objectives, a row per run and objective."""
    objectives = cells[0].names
    values = {  # each (run, objective)
        column: _values(runs, [objective_metric(names.TEST, name, part) for name in objectives])
        for column, part in PER_OBJECTIVE.items()
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
        "estimator": [run.params.get(names.ESTIMATOR, "") for run in runs],
        "environment": [run.tags[names.ENVIRONMENT_HASH] for run in runs],
        "study": [study] * len(runs),
    }
    for axis in ("model", "objectives", "algorithm", "reference", "seed"):
        shared[axis] = [getattr(cell, axis) for cell in cells]
    return pandas.DataFrame(
        {
            **{column: np.repeat(np.asarray(v), len(objectives)) for column, v in shared.items()},
            **{column: found.ravel() for column, found in values.items()},
            "objective": list(objectives) * len(runs),
            "interfered": interfered.ravel(),
            "attribution": [text for run in runs for text in attribution(run, objectives)],
        }
    )


def _values(runs: Sequence[RunRecord], metrics: Sequence[str]) -> np.ndarray:
    """Return metrics of runs: (run, metric), NaN where a run lacks one."""
    rows = [[run.metrics.get(name, math.nan) for name in metrics] for run in runs]
    return np.array(rows, dtype=float)


def attribution(run: RunRecord, objectives: Sequence[str]) -> list[str]:
    """Return why each objective is interfered with, as the run's tag says; empty if it does not."""
    text = run.tags.get(names.ATTRIBUTION, "{}")
    try:
        why = json.loads(text)
    except ValueError:
        why = None
    if not isinstance(why, dict) or not all(isinstance(each, str) for each in why.values()):
        raise CrosstalkError(
            f"run {run.id}: tag {names.ATTRIBUTION!r}: expected a JSON object, objective to text, "
            f"got {text[:80]!r}"
        )
    return [why.get(name, "") for name in objectives]


def _drops(objectives: Sequence[str], curves: Curves) -> np.ndarray:
    """Return each objective's drop from its best validation value: (objective,), NaN if none."""
    series = [
        dict(zip(*points, strict=True)) if points else {}
        for points in map(curves.get, _validation(objectives))
    ]
    steps = sorted({step for each in series for step in each})
    if not steps:
        return np.full(len(objectives), np.nan)
    return drop_from_best([[each.get(step, math.nan) for each in series] for step in steps])
