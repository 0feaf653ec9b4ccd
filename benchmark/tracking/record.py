"""Describe a tracked run as it is read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmark.tracking.names import ATTEMPT, STATUS

Kind = Literal["tags", "params", "metrics"]
KINDS: tuple[Kind, ...] = ("tags", "params", "metrics")
Wanted = Callable[[Kind, str], bool]  # says whether to read a tag, parameter or metric


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One tracked run.

    Attributes:
        id: MLflow's.
        mlflow_status: MLflow's own; ours is :attr:`status`.
        start_time: Milliseconds since 1970.
        end_time: Likewise; None while the run goes on.
        tags: By name.
        params: By name.
        metrics: Of each the value at the largest step, the latest of several there.
    """

    id: str
    mlflow_status: str
    start_time: int
    end_time: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def status(self) -> str:
        """What our tag says: ``running``, ``trained``, ``complete``, …; empty without one."""
        return self.tags.get(STATUS, "")

    @property
    def attempt(self) -> int:
        """The number of the attempt at the cell; the larger came later, whatever clocks said."""
        return int(self.tags.get(ATTEMPT, "0"))


def everything(kind: Kind, name: str) -> bool:
    """Say that all of a run is wanted."""
    return True
