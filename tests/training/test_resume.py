"""A run resumed from a checkpoint is, bit for bit, the run that was never interrupted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from projects import Make, Project, logged, same, same_weights
from transformers import TrainerCallback

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objectives
from benchmark.scalarizers import CTWA, Feedback
from benchmark.study import Cell
from benchmark.training.trainer import STATE_FILE, MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

# Two steps an epoch: six steps reach into the third.
ACROSS_EPOCHS = {"task": {"train": 4}, "training": {"steps": 6, "checkpoint_every": 3}}
OBJECTIVES = make_objectives(["accuracy", "conciseness", "clarity"])
NAMES = ["few", "low"]
PARAMETERS: dict[str, Any] = {"lagrangian": {"step_size": 0.2}}


class Killed(Exception):
    """Stands for the end of the process."""


class Kill(TrainerCallback):
    """Ends training in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step + 1 == self.step:
            raise Killed


class Remembered(TrainerCallback):
    """Notes what the trainer knows before the first step."""

    def __init__(self, trainer: MultiObjectiveGRPOTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        assert self.trainer.validation is not None
        self.initial_tokens = self.trainer.initial_tokens
        self.validation = self.trainer.validation.tolist()
        self.threshold = self.trainer.reward_funcs[1].threshold


def unbroken(project: Project, cell: Cell) -> MultiObjectiveGRPOTrainer:
    trainer = project.trainer(cell, "unbroken")
    trainer.train()
    return trainer


def resumed(
    project: Project, cell: Cell, killed_at: int, checkpoint: int
) -> MultiObjectiveGRPOTrainer:
    first = project.trainer(cell, "resumed")
    first.add_callback(Kill(killed_at))
    with pytest.raises(Killed):
        first.train()
    torch.rand(1)
    trainer = project.trainer(cell, "resumed")
    trainer.args.eval_on_start = False
    trainer.train(resume_from_checkpoint=str(project.root / f"resumed/checkpoint-{checkpoint}"))
    return trainer


def curves(trainer: MultiObjectiveGRPOTrainer) -> list[dict[str, Any]]:
    """Return the log without what is measured on a clock."""
    clock = ("time/", "step_time", "train_", "eval_runtime", "eval_samples_per", "eval_steps_per")
    rows = [
        {key: value for key, value in row.items() if not key.startswith(clock)}
        for row in trainer.state.log_history
    ]
    return [row for row in rows if set(row) != {"epoch", "step"}]


@pytest.mark.parametrize("algorithm", ["ctwa", "lagrangian", "hypervolume"])
def test_resuming_in_a_later_epoch_is_exact(project: Project, algorithm: str) -> None:
    cell = project.cell(algorithm, PARAMETERS.get(algorithm), **ACROSS_EPOCHS)
    whole = unbroken(project, cell)
    again = resumed(project, cell, killed_at=5, checkpoint=3)
    assert same_weights(whole.model, again.model)
    assert curves(whole) == curves(again)
    assert same(whole.scalarizer.state_dict(), again.scalarizer.state_dict())
    assert not same(whole.scalarizer.state_dict(), cell.make_scalarizer().state_dict())
    states = [[o.state_dict() for o in run.reward_funcs] for run in (whole, again)]
    assert states[0] == states[1]
    assert states[0][1]["completions"] == 48


@pytest.mark.parametrize(
    ("every", "reuse"),
    [("rollout", {"minibatches": 2}), ("step", {"minibatches": 2}), ("rollout", {"passes": 2})],
)
def test_resuming_between_rollouts_is_exact(
    project: Project, every: str, reuse: dict[str, int]
) -> None:
    training = {"steps": 4, "checkpoint_every": 2, **reuse}
    cell = project.cell("ctwa", {"update_every": every}, training=training)
    whole = unbroken(project, cell)
    again = resumed(project, cell, killed_at=6, checkpoint=4)
    assert same_weights(whole.model, again.model)
    assert curves(whole) == curves(again)
    assert same(whole.scalarizer.state_dict(), again.scalarizer.state_dict())


def test_resuming_within_a_rollout_draws_a_new_one(make: Make, tmp_path: Path) -> None:
    split = {"steps_per_generation": 2, "per_device_train_batch_size": 4}
    kept = {"save_strategy": "steps", "save_steps": 1, "output_dir": str(tmp_path)}
    make(CTWA(NAMES), max_steps=3, **split, **kept).train()
    scalarizer = CTWA(NAMES)
    trainer = make(scalarizer, max_steps=5, **split)
    told: list[Feedback] = []
    scalarizer.update = told.append
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert trainer.state.global_step == 5
    (feedback,) = told  # of the rollout drawn on resuming, whole
    assert feedback.rewards.shape == (8, 2)


def test_resuming_keeps_the_reference_policy(project: Project) -> None:
    cell = project.cell(training={"kl": 0.1, "steps": 4, "checkpoint_every": 2})
    whole = unbroken(project, cell)
    again = resumed(project, cell, killed_at=4, checkpoint=2)
    assert logged(whole, "eval_kl")[-1] > 0
    assert curves(whole) == curves(again)


def test_checkpoints_hold_validation_and_objectives(project: Project) -> None:
    cell = project.cell(training={"steps": 2, "checkpoint_every": 1})
    whole = unbroken(project, cell)
    again = project.trainer(cell)
    seen = Remembered(again)
    again.add_callback(seen)
    again.train(resume_from_checkpoint=str(project.root / "unbroken" / "checkpoint-1"))
    assert seen.initial_tokens == whole.initial_tokens is not None
    assert seen.validation == [curves(whole)[0][f"eval_rewards/{o.name}/mean"] for o in OBJECTIVES]
    assert seen.threshold == curves(whole)[1]["completions/mean_length"]


def test_a_checkpoint_of_another_trainer_is_refused(project: Project) -> None:
    cell = project.cell()
    unbroken(project, cell)
    checkpoint = project.root / "unbroken" / "checkpoint-3"
    (checkpoint / STATE_FILE).unlink()
    with pytest.raises(CrosstalkError, match=r"crosstalk\.pt: missing; .* not a checkpoint of"):
        project.trainer(cell).train(resume_from_checkpoint=str(checkpoint))


def test_another_scalarizers_checkpoint_is_refused(project: Project) -> None:
    unbroken(project, project.cell("lagrangian"))
    checkpoint = str(project.root / "unbroken" / "checkpoint-3")
    with pytest.raises(CrosstalkError, match=r"state of CTWA: expected .*'duals'"):
        project.trainer(project.cell("ctwa")).train(resume_from_checkpoint=checkpoint)
