"""Keep with a cell's run what the policy wrote before training: the page shows it beside the rest.

A run has its own completions alone; those of the initial policy are many runs', and tracked with
none. So each run keeps a few of them.
"""

from pathlib import Path

import pandas as pd

from benchmark.common.files import replacing
from benchmark.study.study import Cell
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.names import COMPLETIONS
from benchmark.tracking.run import CellRun

PROBLEMS = 8  # the first of the test split


def initial_answers(cell: Cell) -> Path | None:
    """Write the initial policy's first answers of the test split into the cell's folder.

    Returns None where the evaluation of the initial policy is gone.
    """
    source = cell.study.layout.baseline(cell.model, cell.objective_set) / COMPLETIONS
    if not source.is_file():
        return None
    frame = pd.read_parquet(source)
    with replacing(cell.folder / INITIAL) as path:
        frame[frame["sample"] == 0].head(PROBLEMS).to_parquet(path, index=False)
    return cell.folder / INITIAL


def keep_initial(cell: Cell, run: CellRun) -> None:
    """Store them with the cell's run."""
    file = initial_answers(cell)
    if file is not None:
        run.artifact(file)
