"""Send what the trainer logs to the tracked run, under the benchmark's names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import PartialState
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers import TrainingArguments as Arguments

from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.underway import Teller
from benchmark.study.study import Cell
from benchmark.tracking import names
from benchmark.tracking.run import CellRun


class CurveTracker(TrainerCallback):
    """Send what the trainer logs to the tracked run, seal checkpoints, and show progress.

    Where several processes train a cell, each has one of these, and the first one's has the run.
    """

    def __init__(self, cell: Cell, run: CellRun | None) -> None:
        self.cell = cell
        self.run = run
        self.teller = None if run is None else Teller(cell)
        self.bar = tqdm(disable=True)

    def on_train_begin(
        self, args: Arguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self.cell.id,
            mininterval=5.0,
            disable=self.run is None,
        )
        if self.teller is not None:
            self.teller.begin(state.global_step)
        self.replay(state)

    def replay(self, state: TrainerState) -> None:
        """Track what earlier attempts logged, up to their last checkpoint."""
        for row in state.log_history:
            self._track(row["step"], row)

    def on_step_begin(
        self, args: Arguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.teller is not None:
            self.teller.begin_step(state.global_step)

    def on_log(
        self,
        args: Arguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        self._track(state.global_step, logs)
        if self.teller is not None:
            self.teller.log(state.global_step, logs)

    def _track(self, step: int, logs: Mapping[str, Any]) -> None:
        if self.run is not None:
            self.run.log(step, curve_points(logs))

    def on_step_end(
        self, args: Arguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Move on; nothing goes on from the last policy, so its optimizer is not saved."""
        if state.global_step >= state.max_steps and self.cell.leaves_thin_checkpoint:
            args.save_only_model = True
        self.bar.update()

    def on_save(
        self, args: Arguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        PartialState().wait_for_everyone()  # each process saves the state of its random numbers
        if self.run is None:
            return
        folder = Path(str(args.output_dir))
        checkpoints.seal(folder / f"checkpoint-{state.global_step}", self.cell.training_hash)
        checkpoints.prune(folder, self.cell.diagnosed_updates)

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Show no progress any more: what is said next begins a line of its own."""
        self.bar.close()
        if self.teller is not None:
            self.teller.end()


def curve_points(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the tracked points of a row of the trainer's log, under the benchmark's names."""
    points = {}
    for key, value in logs.items():
        name = _tracked_name(key)
        if name is not None and isinstance(value, int | float):
            points[name] = float(value)
    return points


_NAMES = {  # the trainer's -> ours
    "loss": "train/loss",
    "score": "train/score",
    "grad_norm": "train/grad_norm",
    "entropy": "train/entropy",
    "kl": "train/kl",
    "unclipped_fraction": "train/unclipped_fraction",
    "dominated_winners": "train/dominated_winners",
    "completions/mean_length": "train/completion_length",
    "num_tokens": names.TRAIN_TOKENS,
    "eval_completions/mean_length": names.VALIDATION_TOKENS,
}
_KEPT = (  # what the names begin with that the trainer and the benchmark share
    names.SCALARIZER,
    names.GRADIENT,
    names.TIME,
    names.COVARIANCE,
    names.CORRELATION,
    names.NEGATIVE_FRACTION,
    names.TOP_MEAN,
)


def _tracked_name(key: str) -> str | None:
    """Return our name for a quantity of the trainer's log; None if it is not tracked."""
    if key in _NAMES or key.startswith(_KEPT):
        return _NAMES.get(key, key)
    if key.startswith("rewards/"):  # <objective>/mean and <objective>/std
        return names.objective_metric(names.TRAIN_REWARD, key.removeprefix("rewards/"))
    if key.startswith("eval_rewards/") and key.endswith("/mean"):
        objective = key.removeprefix("eval_rewards/").removesuffix("/mean")
        return names.objective_metric(names.VALIDATION, objective)
    return None
