"""Compute the tidy rows of a study's results: one per run and objective."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.interference.metrics import (
    delta_m_percent,
    drop_from_best,
    hypervolume_gain,
    worst_change,
)
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.evidence import JUDGED, judged
from benchmark.tracking import names
from benchmark.tracking.names import objective_metric
from benchmark.tracking.record import RunRecord

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
OF_PAIRS = {  # column -> what metrics of pairs of objectives begin with
    "conflict_rate": names.CONFLICT,
    "magnitude_similarity": names.SIMILARITY,
}
NOT_PAIRS = ("/low", "/high", "/score")  # bounds, and pairs with the scalarized score
COLUMNS = [
    "study",
    "model",
    "objectives",
    "estimator",
    "algorithm",
    "reference",
    "seed",
    "objective",
    *PER_OBJECTIVE,
    "drop_from_best",
    *JUDGED,
    "attribution",
    "worst_change",
    "hypervolume_gain",
    "delta_m",
    *PER_RUN,
    "max_tokens",
    "conflict_rate",
    "magnitude_similarity",
    "environment",
]


def tested(objectives: Iterable[str]) -> list[str]:
    """Return the metrics of the test that the rows are made of."""
    parts = PER_OBJECTIVE.values()
    per_objective = [objective_metric(names.TEST, o, part) for o in objectives for part in parts]
    return per_objective + list(PER_RUN.values())


def validated(objectives: Iterable[str]) -> list[str]:
    """Return the metrics whose curves the rows are made of."""
    return [objective_metric(names.VALIDATION, objective) for objective in objectives]


def tidy_rows(
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
        frame["drop_from_best"] = np.ravel([_drops(objectives, curves.get(r.id, {})) for r in runs])
        frame["order"] = np.repeat([order[cell] for cell in members], len(objectives))
        frames.append(frame)
    tidy = pandas.concat(frames, ignore_index=True).sort_values("order", kind="stable")
    return judged(tidy)[COLUMNS].reset_index(drop=True)


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
    shared |= {
        "worst_change": worst_change(values["delta"]),
        "hypervolume_gain": [
            hypervolume_gain(final, initial)
            for final, initial in zip(values["final"], values["initial"], strict=True)
        ],
        "delta_m": delta_m_percent(values["final"], values["initial"]),
        "max_tokens": [float(run.params.get(names.MAX_TOKENS, "nan")) for run in runs],
        **{column: [_pairs(run, kind) for run in runs] for column, kind in OF_PAIRS.items()},
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
            "attribution": [text for run in runs for text in attribution(run, objectives)],
        }
    )


def _pairs(run: RunRecord, kind: str) -> float:
    """Return the mean over pairs of objectives of what was measured of the initial policy."""
    found = [
        value
        for name, value in run.metrics.items()
        if name.startswith(kind) and not name.endswith(NOT_PAIRS)
    ]
    return float(np.mean(found)) if found else math.nan


def _values(runs: Sequence[RunRecord], metrics: Sequence[str]) -> np.ndarray:
    """Return metrics of runs: (run, metric), NaN where a run lacks one."""
    rows = [[run.metrics.get(name, math.nan) for name in metrics] for run in runs]
    return np.array(rows, dtype=float)


def attribution(run: RunRecord, objectives: Sequence[str]) -> list[str]:
    """Return why each objective fell, with the share of its decline that the causes are of."""
    found, fell = reasons(run, objectives), declines(run)
    for place, name in enumerate(objectives):
        delta = run.metrics.get(objective_metric(names.TEST, name, names.DELTA), math.nan)
        share = coverage(fell.get(name, 0.0), delta)
        if found[place] and share > 0:
            found[place] += f" (of {share:.0%} of its decline)"
    return found


def coverage(decline: float, delta: float) -> float:
    """Return the share of an objective's decline that its decline at the diagnosed steps is.

    NaN if the objective did not fall. Above 1 where it rose again at other steps.
    """
    return decline / -delta if delta < 0 else math.nan


def reasons(run: RunRecord, objectives: Sequence[str]) -> list[str]:
    """Return why each objective fell, as the run's tag says; empty if it does not."""
    why = _told(run, names.ATTRIBUTION, str, "text")
    return [why.get(name, "") for name in objectives]


def declines(run: RunRecord) -> Mapping[str, float]:
    """Return how far each objective fell at the diagnosed steps, as the run's tag says."""
    return _told(run, names.DIAGNOSED_DECLINES, float, "number")


def _told(run: RunRecord, tag: str, kind: type, word: str) -> dict[str, Any]:
    """Return a tag that holds a value for each objective; empty if the run has none."""
    text = run.tags.get(tag, "{}")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, kind) for each in found.values()):
        raise CrosstalkError(
            f"run {run.id}: tag {tag!r}: expected a JSON object, objective to {word}, "
            f"got {text[:80]!r}"
        )
    return found


def _drops(objectives: Sequence[str], curves: Curves) -> np.ndarray:
    """Return each objective's drop from its best validation value: (objective,), NaN if none."""
    series = [
        dict(zip(*points, strict=True)) if points else {}
        for points in map(curves.get, validated(objectives))
    ]
    steps = sorted({step for each in series for step in each})
    if not steps:
        return np.full(len(objectives), np.nan)
    return drop_from_best([[each.get(step, math.nan) for each in series] for step in steps])
