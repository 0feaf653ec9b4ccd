"""Compute the rows of objectives that policies are evaluated by and not trained on.

They stand apart from a table's ``cells``: no score, verdict, rank or rate has a part of them.
"""

import math
from collections.abc import Mapping

import pandas

from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.rows import PER_OBJECTIVE
from benchmark.tracking import names
from benchmark.tracking.names import objective_metric
from benchmark.tracking.record import RunRecord

AXES = ("model", "objectives", "algorithm", "reference", "seed")
COLUMNS = ["study", *AXES, "objective", *PER_OBJECTIVE, "prompts"]


def rows_apart(
    study: str, expected: Mapping[str, ExpectedCell], counted: Mapping[str, RunRecord]
) -> pandas.DataFrame:
    """Return a row per run that counts and objective of its evaluation alone, in :data:`COLUMNS`.

    In the study's order; no rows where nothing is evaluated apart.
    """
    rows = [
        {
            "study": study,
            **{axis: getattr(expected[cell], axis) for axis in AXES},
            "objective": objective,
            **{
                column: run.metrics.get(objective_metric(names.TEST, objective, part), math.nan)
                for column, part in PER_OBJECTIVE.items()
            },
            "prompts": run.metrics.get(names.TEST_PROMPTS, math.nan),
        }
        for cell, run in counted.items()
        for objective in expected[cell].evaluation_only
    ]
    return pandas.DataFrame(rows, columns=COLUMNS)
