"""What is kept of a cell: that it is trained, evaluated, diagnosed, or that its policy diverged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from benchmark.common.errors import Diverged
from benchmark.common.records import Record
from benchmark.study.study import Cell
from benchmark.tracking import names
from benchmark.tracking.run import CellRun


@dataclass(frozen=True)
class Trained(Record):
    """A cell's tracked run and its last checkpoint, as a path in the cell's folder."""

    FILE: ClassVar[str] = "train.json"
    MISSING: ClassVar[str] = "not trained"
    COMMAND: ClassVar[str] = "train"

    run_id: str
    checkpoint: str

    @classmethod
    def of(cls, cell: Cell) -> "Trained":
        """Return the record of a trained cell.

        Raises:
            CrosstalkError: The cell is not trained.
        """
        return cls.require(cell.folder, cell.training_hash, f"{cell.study.name} {cell.id}")


@dataclass(frozen=True)
class Evaluated(Record):
    """A cell's tracked run and the metrics ``test/…`` that its evaluation added."""

    FILE: ClassVar[str] = "evaluation.json"
    MISSING: ClassVar[str] = "not evaluated"
    COMMAND: ClassVar[str] = "evaluate"

    run_id: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Diagnosed(Record):
    """A cell's tracked run, the diagnosed steps, why each objective fell there, and how far."""

    FILE: ClassVar[str] = "diagnosis.json"
    MISSING: ClassVar[str] = "not diagnosed"
    COMMAND: ClassVar[str] = "diagnose"

    run_id: str
    why: Mapping[str, str]
    declines: Mapping[str, float]
    steps: list[int]


def diverged(cell: Cell, run: CellRun | None, error: Diverged) -> Diverged:
    """Tag a cell's run with what diverged, and return the error that names the cell."""
    if run is not None:
        run.tag(**{names.DIVERGED: str(error)})
    return Diverged(f"{cell.id}: {error}")
