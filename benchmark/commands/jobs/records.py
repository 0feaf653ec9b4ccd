"""What the stages leave for one another in a cell's folder."""

import json
from typing import TypedDict

from benchmark.study.study import Cell

TRAINED = "train.json"
EVALUATED = "evaluation.json"
DIAGNOSED = "diagnosis.json"


class TrainingRecord(TypedDict):
    """A cell's ``train.json``: the hash it was trained under, its run, and its last checkpoint."""

    training_hash: str
    run_id: str
    checkpoint: str


def trained(cell: Cell) -> TrainingRecord | None:
    """Return the cell's training record if it is there and of the present hash."""
    file = cell.folder / TRAINED
    if not file.is_file():
        return None
    record: TrainingRecord = json.loads(file.read_text(encoding="utf-8"))
    return record if record["training_hash"] == cell.training_hash else None
