"""A cell's curves: what the trainer logs, under the benchmark's names, in the tracked run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import PartialState
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers import TrainingArguments as Arguments

from benchmark.commands.jobs import checkpoints
from benchmark.study.study import Cell
from benchmark.tracking.run import CellRun


class CurveTracker(TrainerCallback):
    """Sends what the trainer logs to the tracked run, seals checkpoints, and shows progress.

    Where several processes train a cell, each has one, and that of the first has the run.
    """

    def __init__(self, cell: Cell, run: CellRun | None) -> None:
        self.cell = cell
        self.run = run
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
        self.replay(state)

    def replay(self, state: TrainerState) -> None:
        """Track what earlier attempts logged, up to their last checkpoint."""
        for row in state.log_history:
            self._track(row["step"], row)

    def on_log(
        self,
        args: Arguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        self._track(state.global_step, logs)

    def _track(self, step: int, logs: Mapping[str, Any]) -> None:
        if self.run is not None:
            self.run.log(step, curve_points(logs))

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
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
        self.bar.close()


def curve_points(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the tracked points of a row of the trainer's log, under the benchmark's names."""
    points = {}
    for key, value in logs.items():
        name = _tracked_name(key)
        if name is not None and isinstance(value, int | float):
            points[name] = float(value)
    return points


_NAMES = {
    "loss": "train/loss",
    "score": "train/score",
    "grad_norm": "train/grad_norm",
    "entropy": "train/entropy",
    "kl": "train/kl",
    "unclipped_fraction": "train/unclipped_fraction",
    "dominated_winners": "train/dominated_winners",
    "completions/mean_length": "train/completion_length",
    "num_tokens": "train/tokens",
    "eval_completions/mean_length": "validation/tokens",
}
_KEPT = (
    *("scalarizer/", "gradient/", "time/"),
    *("covariance/", "correlation/", "negative_fraction/", "top_mean/"),
)


def _tracked_name(key: str) -> str | None:
    if key in _NAMES or key.startswith(_KEPT):
        return _NAMES.get(key, key)
    if key.startswith("rewards/"):
        return key.replace("rewards/", "train/reward/", 1)
    if key.startswith("eval_rewards/") and key.endswith("/mean"):
        return key.replace("eval_rewards/", "validation/", 1).removesuffix("/mean")
    return None
