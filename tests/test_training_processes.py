"""Training in two processes: every statistic is of the whole batch, and the same in both."""

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gradient_modes import Fixed, both, distance
from projects import grpo_arguments, low_tokens, multi_objective
from torch import Tensor
from torch.distributed.fsdp import fully_shard

from benchmark.gradient_path import GradientPath
from benchmark.objectives import Conciseness
from benchmark.scalarizers import CTWA, Feedback
from benchmark.training import MultiObjectiveGRPOTrainer

HALVES = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4, "ddp_backend": "gloo"}
PARTS = ["all", r"layers\.1\."]


class Recorder(CTWA):
    """CTWA, keeping its feedback."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.feedback: list[Feedback] = []

    def update(self, feedback: Feedback) -> None:
        self.feedback.append(feedback)
        super().update(feedback)


# ---- what each of the two processes does; each returns what it saw -------------------------------


def train_ctwa(model: Path, folder: Path) -> dict[str, Any]:
    conciseness = Conciseness()
    arguments = grpo_arguments(model, folder, max_steps=2, eval_on_start=True, **HALVES)
    arguments["reward_funcs"] = [conciseness, low_tokens]
    scalarizer = Recorder(["conciseness", "low"])
    trainer = MultiObjectiveGRPOTrainer(
        **arguments, scalarizer=scalarizer, estimator="reinforce_plus_plus"
    )
    trainer.train()
    last = scalarizer.feedback[-1]
    assert last.completion_weights is not None
    return {
        "rewards": last.rewards.tolist(),
        "groups": last.groups.tolist(),
        "weights": last.completion_weights.tolist(),
        "state": {name: value.tolist() for name, value in scalarizer.state.items()},
        "observed": conciseness.state_dict()["completions"],
        "initial_tokens": trainer.initial_tokens,
        "parameters": [value.double().sum().item() for value in trainer.model.parameters()],
    }


def train_by_gradient(model: Path, folder: Path) -> dict[str, Any]:
    """Train by linear and by the gradient path, in every mode; return how far apart they end."""
    make = partial(multi_objective, model, folder)
    fewer = {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 2}
    modes = {"at once": {}, "accumulation": fewer, "KL": {"beta": 0.1}}
    apart, ends = {}, {}
    for name, changes in modes.items():
        for part in PARTS:
            plain, weighted = both(make, gramian_parameters=part, **(HALVES | changes))
            apart[f"{name}, {part}"] = distance(plain, weighted)
            ends[f"{name}, {part}"] = weighted.tolist()
    return {"apart": apart, "ends": ends}


def step_sharded(model: Path, folder: Path) -> dict[str, Any]:
    """Take an update's gradient replicated, then sharded by FSDP2; return how far apart they are.

    Generation is left out: the batch is made before the model is sharded.
    """
    apart, gramians = {}, {}
    for name, changes in {"at once": {}, "KL": {"beta": 0.1}}.items():
        for part in PARTS:
            fixed = Fixed()
            trainer = multi_objective(
                model, folder, fixed, gramian_parameters=part, **(HALVES | changes)
            )
            trainer.current_gradient_accumulation_steps = 1
            trainer.model.train()
            inputs = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
            whole = averaged(gradient_of(trainer, inputs))
            for layer in trainer.model.model.layers:
                fully_shard(layer)
            fully_shard(trainer.model)
            trainer.gradient_path = GradientPath(
                trainer, fixed, super(MultiObjectiveGRPOTrainer, trainer).compute_loss, part
            )
            sharded = torch.cat([g.full_tensor().flatten() for g in gradient_of(trainer, inputs)])
            apart[f"{name}, {part}"] = distance(whole, sharded)
            gramians[f"{name}, {part}"] = [gramian.tolist() for gramian in fixed.gramians]
    return {"apart": apart, "gramians": gramians}


def gradient_of(trainer: MultiObjectiveGRPOTrainer, inputs: Any) -> list[Tensor]:
    trainer.after_update.window.clear()
    trainer.compute_loss(trainer.model, inputs).backward()
    return [p.grad for p in trainer.model.parameters() if p.grad is not None]


def averaged(gradients: list[Tensor]) -> Tensor:
    """Return the mean over the processes (n,), as DDP would make it."""
    flat_gradient = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat_gradient)
    return flat_gradient / torch.distributed.get_world_size()


# ---- the tests, which start the two --------------------------------------------------------------


def in_two_processes(what: str, model: Path, folder: Path) -> list[dict[str, Any]]:
    """Run a function of this file in two processes; return what each saw."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, what, str(model), str(folder)],
            env=os.environ | meeting | {"RANK": rank, "LOCAL_RANK": rank, "PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        errors = [process.communicate(timeout=180)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_see_the_whole_batch(tiny_model: Path, tmp_path: Path) -> None:
    first, second = in_two_processes("train_ctwa", tiny_model, tmp_path)
    assert first == second
    assert len(first["rewards"]) == len(first["weights"]) == 8
    assert first["groups"] == [2, 2, 2, 2, 3, 3, 3, 3]
    assert first["observed"] == 16


def test_two_processes_step_along_the_gradient_of_the_whole_batch(
    tiny_model: Path, tmp_path: Path
) -> None:
    first, second = in_two_processes("train_by_gradient", tiny_model, tmp_path)
    assert first["ends"] == second["ends"]
    assert len(first["apart"]) == 6
    assert max(first["apart"].values()) < 2e-5


def test_sharded_parameters_have_the_gradient_of_replicated_ones(
    tiny_model: Path, tmp_path: Path
) -> None:
    first, second = in_two_processes("step_sharded", tiny_model, tmp_path)
    assert first["gramians"] == second["gramians"]
    assert len(first["apart"]) == 4
    assert max(first["apart"].values()) < 2e-5
    for replicated, sharded in first["gramians"].values():
        torch.testing.assert_close(
            torch.tensor(sharded), torch.tensor(replicated), rtol=1e-4, atol=1e-9
        )


if __name__ == "__main__":
    saw = globals()[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    (Path(sys.argv[3]) / f"rank{os.environ['RANK']}.json").write_text(json.dumps(saw))
