"""Follow the steps of a trainer: time their stages, and act once the optimizer has stepped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainerCallback


class Clock(TrainerCallback):
    """Times the stages of each step; what is not a stage counts as the update.

    Args:
        log: Takes a stage and its seconds, at the end of a step.
    """

    def __init__(self, log: Callable[[str, float], None]) -> None:
        self.log = log
        self.on_step_begin()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the seconds of the block to a stage of the step."""
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.start = time.perf_counter()
        self.seconds = {"generation": 0.0, "reward": 0.0}

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        update = time.perf_counter() - self.start - sum(self.seconds.values())
        for stage, value in (self.seconds | {"update": update}).items():
            self.log(stage, value)


class AfterStep(TrainerCallback):
    """Calls a function after each optimizer step, while the gradients are still there."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def on_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        self.call()
