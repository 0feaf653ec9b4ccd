"""Tabulate how the objectives of the runs that count fared on the way: the curves of validation."""

from collections.abc import Mapping

import numpy as np
import pandas

from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.rows import Curves, validated
from benchmark.tracking.record import RunRecord

AXES = ["model", "objectives", "algorithm", "seed"]
COLUMNS = ["study", *AXES, "metric", "step", "measured"]


def validation_curves(
    study: str,
    expected: Mapping[str, ExpectedCell],
    counted: Mapping[str, RunRecord],
    curves: Mapping[str, Curves],
) -> pandas.DataFrame:
    """Return a row per run, objective and validation, in the study's order.

    ``metric`` is ``validation/<objective>``, ``step`` the number of optimizer steps before it, and
    ``measured`` the objective's mean over the validation prompts.
    """
    pieces = [
        (expected[cell], metric, *found[metric])
        for cell, run in counted.items()
        for found in [curves.get(run.id, {})]
        for metric in validated(expected[cell].names)
        if metric in found
    ]
    lengths = [len(steps) for _, _, steps, _ in pieces]
    alike = {axis: [getattr(cell, axis) for cell, *_ in pieces] for axis in AXES}
    alike["metric"] = [metric for _, metric, *_ in pieces]
    columns = {column: np.repeat(np.array(values), lengths) for column, values in alike.items()}
    columns["step"] = np.array([step for _, _, steps, _ in pieces for step in steps])
    columns["measured"] = np.array([value for *_, values in pieces for value in values])
    return pandas.DataFrame(columns).assign(study=study)[COLUMNS]
