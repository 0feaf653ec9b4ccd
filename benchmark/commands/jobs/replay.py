"""Repeat the training step that followed a checkpoint, keeping the policy before and after it.

A resumed run equals an unbroken one, so this is the very step that training made. It writes nothing
into the cell's folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from transformers import PrinterCallback, TrainerCallback
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.trainer import make_trainer
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import relative
from benchmark.study.study import Cell
from benchmark.training import MultiObjectiveGRPOTrainer


@dataclass(frozen=True)
class Replay:
    """One training step: all updates made from one rollout batch.

    The trainer's scalarizer is as before the rollout, its objectives as they rewarded it.
    """

    trainer: MultiObjectiveGRPOTrainer
    parameters: Sequence[Parameter]  # the policy's trainable ones, as they are in the model
    before: Sequence[Tensor]  # their values before the step
    after: Sequence[Tensor]  # and after it
    gradient: Sequence[Tensor]  # of the loss, summed over the step's updates, as these were made
    gradient_weights: Tensor | None  # (M,) that a gradient scalarizer gave the objectives

    @property
    def direction(self) -> list[Tensor]:
        """The step's change of each parameter."""
        return [b - a for a, b in zip(self.before, self.after, strict=True)]

    @torch.no_grad()
    def move(self, multiple: float) -> None:
        """Move the policy to a multiple of the step from where the step began."""
        values = zip(self.parameters, self.before, self.after, strict=True)
        for parameter, before, after in values:
            # Exactly the policies before and after at 0 and 1.
            between = after if multiple == 1 else before + multiple * (after - before)
            parameter.copy_(between)


def replay_step(cell: Cell, step: int) -> Replay:
    """Repeat the training step that followed step ``step`` of a trained cell."""
    updates = cell.study.file.training.updates_per_step
    start = None if step == 0 else checkpoint_at(cell, step)
    with TemporaryDirectory(prefix="crosstalk-replay-") as scratch:
        trainer = make_trainer(cell, Path(scratch))
        arguments = trainer.args
        arguments.max_steps = (step + 1) * updates
        arguments.eval_on_start = step == 0  # as in training; later its values are in the state
        arguments.eval_strategy = IntervalStrategy.NO
        arguments.save_strategy = SaveStrategy.NO
        trainer.remove_callback(PrinterCallback)
        recorder = _Recorder(trainer)
        trainer.add_callback(recorder)
        trainer.train(resume_from_checkpoint=None if start is None else str(start))
    trainer.scalarizer.load_state_dict(recorder.scalarizer)
    path = trainer.gradient_path
    after = [parameter.detach().clone() for parameter in recorder.parameters]
    weights = None if path is None else path.weights
    gradient = recorder.gradient
    return Replay(trainer, recorder.parameters, recorder.before, after, gradient, weights)


def checkpoint_at(cell: Cell, step: int) -> Path:
    """Return a trained cell's checkpoint after ``step`` steps, verified."""
    folder = cell.folder / "checkpoints"
    updates = cell.study.file.training.updates_per_step
    found = folder / f"checkpoint-{step * updates}"
    if not (found / checkpoints.MANIFEST).is_file():
        there = sorted(checkpoints.step_of(each) // updates for each in folder.glob("checkpoint-*"))
        raise CrosstalkError(
            f"{relative(folder)}: expected a checkpoint at step {step}, got "
            f"{', '.join(map(str, there)) or 'none'}: the cell was trained before the study's "
            f"diagnosis.steps asked for it; remove {relative(cell.folder)} to train it again"
        )
    checkpoints.verify(found)
    return found


class _Recorder(TrainerCallback):
    """Keeps the state in which the first step begins, and sums the gradients from there on."""

    def __init__(self, trainer: MultiObjectiveGRPOTrainer) -> None:
        self.trainer = trainer
        self.parameters = [p for p in trainer.model.parameters() if p.requires_grad]
        self.before: list[Tensor] = []
        self.gradient: list[Tensor] = []
        self.scalarizer: dict[str, Any] = {}

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        if not self.before:
            self.before = [parameter.detach().clone() for parameter in self.parameters]
            self.scalarizer = self.trainer.scalarizer.state_dict()
            self.gradient = [torch.zeros_like(parameter) for parameter in self.parameters]

    def on_pre_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        for total, parameter in zip(self.gradient, self.parameters, strict=True):
            if parameter.grad is not None:
                total += parameter.grad.detach()
