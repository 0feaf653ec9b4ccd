"""How far a training is: a small record that it rewrites as it goes, for whoever looks on.

It lies beside the cell's other records while the cell is in training, and goes when that ends. A
killed training leaves it behind: :meth:`UnderWay.since` takes none that was written before a job
began.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, ClassVar, Self

from benchmark.common.errors import CrosstalkError
from benchmark.common.records import Record
from benchmark.study.study import Cell

logger = logging.getLogger(__name__)

SECONDS = 1.0  # between two writings, at least
_REWARD, _MEAN = "rewards/", "/mean"  # of the names that the trainer logs


@dataclass(frozen=True)
class UnderWay(Record):
    """How far a training is.

    Attributes:
        time: When this was written, in seconds since 1970.
        step: The training steps that are done, those of earlier attempts too.
        steps: How many there will be.
        seconds_per_step: The mean of this attempt's, validations shared out; None before the first.
        rewards: Each objective's mean reward in the latest step; empty before the first.
    """

    FILE: ClassVar[str] = "progress.json"
    MISSING: ClassVar[str] = "not in training"
    COMMAND: ClassVar[str] = "train"

    time: float
    step: int
    steps: int
    seconds_per_step: float | None
    rewards: dict[str, float]

    @classmethod
    def since(cls, cell: Cell, began: float) -> Self | None:
        """Return what a cell's training wrote since a time, or None if it has not yet."""
        found = cls.read(cell.folder, cell.training_hash)
        return None if found is None or found.time < began else found


@dataclass
class Teller:
    """Writes how far a cell's training is.

    Attributes:
        cell: The cell.
    """

    cell: Cell
    _first: tuple[int, float] | None = None  # updates when this attempt began to train, and when
    _written: float = -SECONDS
    _rewards: dict[str, float] = field(default_factory=dict)
    _silent: bool = False

    def begin(self, updates: int) -> None:
        """Say that training goes on from so many updates of the parameters."""
        self._write(updates, None)

    def begin_step(self, updates: int) -> None:
        """Take the time from the first step: an initial validation may come before it."""
        if self._first is None:
            self._first = updates, time.monotonic()

    def log(self, updates: int, logs: Mapping[str, Any]) -> None:
        """Say what the trainer logs of a step after so many updates, unless it did so just now."""
        means = {
            key.removeprefix(_REWARD).removesuffix(_MEAN): float(value)
            for key, value in logs.items()
            if key.startswith(_REWARD) and key.endswith(_MEAN) and isfinite(value)
        }
        now = time.monotonic()
        if not means or self._first is None or now - self._written < SECONDS:
            return
        self._rewards = means
        since, began = self._first
        self._write(updates, (now - began) / max(1, updates - since))

    def end(self) -> None:
        """Leave nothing behind of a training that has ended."""
        with suppress(OSError):
            (self.cell.folder / UnderWay.FILE).unlink(missing_ok=True)

    def _write(self, updates: int, seconds: float | None) -> None:
        if self._silent:
            return
        training = self.cell.study.file.training
        per_step = training.updates_per_step
        record = UnderWay(
            hash=self.cell.training_hash,
            time=time.time(),
            step=updates // per_step,
            steps=training.steps,
            seconds_per_step=None if seconds is None else seconds * per_step,
            rewards=self._rewards,
        )
        self._written = time.monotonic()
        try:
            record.write(self.cell.folder)
        except CrosstalkError as error:  # a training goes on without
            self._silent = True
            logger.warning("%s: nobody will see how far it is: %s", self.cell.id, error)
