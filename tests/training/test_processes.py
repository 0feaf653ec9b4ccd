"""Training in two processes: every statistic is of the whole batch, and the same in both."""

import json
import multiprocessing
import os
import socket
import sys
from functools import partial
from itertools import product
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import DistributedType, PartialState
from accelerate.commands.launch import _validate_launch_command
from forked import Crosstalk
from gradient_modes import DESCENT, Fixed, distance, movement
from projects import grpo_arguments, low_tokens, multi_objective
from torch import Tensor
from torch.distributed.fsdp import fully_shard

from benchmark.common.paths import ACCELERATE
from benchmark.common.termination import die_with_parent
from benchmark.objectives import Conciseness
from benchmark.scalarizers import (
    CTWA,
    SCALARIZERS,
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Linear,
    ScoreScalarizer,
    make_scalarizer,
)
from benchmark.training import MultiObjectiveGRPOTrainer
from benchmark.training.gradient_path import GradientPath

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]

HALVES = {"per_device_train_batch_size": 4, "per_device_eval_batch_size": 4, "ddp_backend": "gloo"}
PARTS = ["all", r"layers\.1\."]
KINDS = {"ctwa": ScoreScalarizer, "famo": AdvantageScalarizer, "mgda": GradientScalarizer}
NAMES = ["few", "low"]


class Recorder(CTWA):
    """CTWA, keeping its feedback."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.feedback: list[Feedback] = []

    def update(self, feedback: Feedback) -> None:
        self.feedback.append(feedback)
        super().update(feedback)


class SameDraws(MultiObjectiveGRPOTrainer):
    """Draws a completion by its place in the whole batch, however many processes share that.

    Generation otherwise draws other random numbers in each process, so that trainings by one and by
    two compare in distribution only.
    """

    def _generate_single_turn(self, prompt_ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
        first = self.accelerator.process_index * len(prompt_ids)
        size = self.num_generations
        groups = range(0, len(prompt_ids), size)
        drawn = [self._drawn(prompt_ids[g : g + size], first + g) for g in groups]
        return [ids for group in drawn for ids in group], None

    @torch.no_grad()
    def _drawn(self, prompts: list[list[int]], first: int) -> list[list[int]]:
        """Return completions of a prompt, given as often, whose first is at this place."""
        rows = range(first, first + len(prompts))
        seeds = [1000 * self.state.global_step + row for row in rows]
        numbers = [torch.Generator().manual_seed(seed) for seed in seeds]
        ids = torch.tensor(prompts)
        for _ in range(self.max_completion_length):  # as often for all: a sharded forward is joint
            chances = self.model(input_ids=ids).logits[:, -1].softmax(-1)
            pairs = zip(chances, numbers, strict=True)
            drawn = [torch.multinomial(each, 1, generator=own) for each, own in pairs]
            ids = torch.cat([ids, torch.stack(drawn)], dim=1)
        end = self.processing_class.eos_token_id
        completions = ids[:, len(prompts[0]) :].tolist()
        return [c[: c.index(end) + 1] if end in c else c for c in completions]


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
        settings = DESCENT | {"estimator": "dr_grpo"} | HALVES | changes  # linear in the scores
        plain = movement(make(Linear(NAMES, [3, 1]), **settings))
        for part in PARTS:
            weighted = movement(make(Fixed(), gramian_parameters=part, **settings))
            apart[f"{name}, {part}"] = distance(plain, weighted)
            ends[f"{name}, {part}"] = weighted.tolist()
    return {"apart": apart, "ends": ends}


def step_sharded(model: Path, folder: Path) -> dict[str, Any]:
    """Take an update's gradient replicated, then sharded by FSDP2; return how far apart they are.

    Generation is left out: the batch is made before the model is sharded.
    """
    apart, gramians = {}, {}
    for name, changes in {"at once": {}, "KL": {"beta": 0.1}}.items():
        seen = {part: Fixed() for part in PARTS}
        trainer = multi_objective(model, folder, Fixed(), **(HALVES | changes))
        trainer.current_gradient_accumulation_steps = 1
        trainer.model.train()
        inputs = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
        whole = {part: averaged(gradient_of(trainer, inputs, part, seen[part])) for part in PARTS}
        for layer in trainer.model.model.layers:
            fully_shard(layer)
        fully_shard(trainer.model)
        for part, fixed in seen.items():
            gradients = gradient_of(trainer, inputs, part, fixed)
            sharded = torch.cat([gradient.full_tensor().flatten() for gradient in gradients])
            apart[f"{name}, {part}"] = distance(whole[part], sharded)
            gramians[f"{name}, {part}"] = [gramian.tolist() for gramian in fixed.gramians]
    return {"apart": apart, "gramians": gramians}


def gradient_of(
    trainer: MultiObjectiveGRPOTrainer, inputs: Any, part: str, fixed: Fixed
) -> list[Tensor]:
    """Return the gradient of an update whose Gramian is of a part of the parameters."""
    trainer.scalarizer, trainer.gradient_path = fixed, GradientPath(trainer.model, fixed, part)
    trainer.model.zero_grad()
    trainer.collected.step.clear()
    trainer.compute_loss(trainer.model, inputs).backward()
    return [p.grad for p in trainer.model.parameters() if p.grad is not None]


def averaged(gradients: list[Tensor]) -> Tensor:
    """Return the mean over the processes (n,), as DDP would make it."""
    flat_gradient = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat_gradient)
    return flat_gradient / torch.distributed.get_world_size()


def train_each_kind(model: Path, folder: Path) -> dict[str, Any]:
    """Train by a scalarizer of each kind; return curves and end, by kind."""
    share = HALVES if "WORLD_SIZE" in os.environ else {}
    found = {}
    for name in KINDS:
        trainer = multi_objective(
            model,
            folder,
            make_scalarizer(name, NAMES),
            SameDraws,
            num_iterations=2,  # on-policy, the loss is 0 whatever the advantages
            max_steps=4,
            # Adam would make whole steps of gradients that are rounding errors.
            optim="sgd",
            learning_rate=0.5,
            **share,
        )
        trainer.train()
        found[name] = {
            "curves": [curves(row) for row in trainer.state.log_history],
            "weights": trainer.scalarizer.weights.tolist(),
            "state": {key: as_list(v) for key, v in trainer.scalarizer.state_dict().items()},
            "end": trainer_weights(trainer),
        }
    return found


def train_sharded(model: Path, folder: Path) -> dict[str, Any]:
    """Train each kind by FSDP2 as Accelerate sets it up, which it does for GPUs only."""
    from accelerate.commands.launch import launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    config = ACCELERATE / "fsdp2.yaml"
    arguments = ["--config_file", str(config), "--num_processes", "2", "--module", "benchmark"]
    given, *_ = _validate_launch_command(launch_command_parser().parse_args(arguments))
    os.environ.update(prepare_multi_gpu_env(given))
    PartialState._prepare_backend = as_if_on_gpus
    return train_each_kind(model, folder)


def as_if_on_gpus(state: PartialState, *args: Any, **kwargs: Any) -> tuple[str, DistributedType]:
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    state.device = torch.device("cpu")
    return "gloo", DistributedType.MULTI_GPU


def curves(row: dict[str, Any]) -> dict[str, float]:
    """Return what a row of the trainer's log says of the training, and not of its speed."""
    timed = ("time/", "train_", "step_time", "epoch", "total_flos")
    return {key: v for key, v in row.items() if not key.startswith(timed) and v is not None}


def as_list(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def trainer_weights(trainer: MultiObjectiveGRPOTrainer) -> list[float]:
    """Return all trained weights (n,), gathered where they are sharded."""
    whole = (getattr(p, "full_tensor", lambda p=p: p)() for p in trainer.model.parameters())
    return torch.cat([p.detach().flatten() for p in whole]).tolist()


# ---- the process that both are forked from -------------------------------------------------------

# What two processes do one after the other, and then two others: how FSDP2 is set up stays.
WORK = (train_ctwa, train_by_gradient, step_sharded, train_each_kind), (train_sharded,)


def work(model: Path, folder: Path, part: int, rank: int, port: int) -> None:
    """Be one of two processes; write down what it saw, by function."""
    die_with_parent()
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
    found = {function.__name__: function(model, folder) for function in WORK[part]}
    (folder / f"rank{rank}.part{part}.json").write_text(json.dumps(found))


def in_two_processes(model: Path, folder: Path, part: int) -> None:
    """Have two processes do a part of the work; exit with another status if one of them fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=work, args=(model, folder, part, r, port)) for r in (0, 1)]
    for process in running:
        process.start()
    while running:
        wait([process.sentinel for process in running])
        if any(process.exitcode for process in running):
            for process in running:
                process.kill()
            sys.exit(f"part {part}: {[process.exitcode for process in running]}")
        running = [process for process in running if process.exitcode is None]


# ---- the tests, which start that -----------------------------------------------------------------


Seen = list[dict[str, dict[str, Any]]]  # by process, by function


@pytest.fixture(scope="module")
def seen(crosstalk: Crosstalk, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What each of two processes saw of training as DDP sets it up, and as FSDP2 does."""
    folder = tmp_path_factory.mktemp("two")
    status, output = crosstalk(folder, __file__, str(tiny_model), str(folder))
    assert status == 0, output
    found: Seen = [{}, {}]
    for rank, part in product((0, 1), range(len(WORK))):
        found[rank] |= json.loads((folder / f"rank{rank}.part{part}.json").read_text())
    return found


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process sees."""
    return train_each_kind(tiny_model, tmp_path_factory.mktemp("one"))


def test_two_processes_see_the_whole_batch(seen: Seen) -> None:
    first, second = (each["train_ctwa"] for each in seen)
    assert first == second
    assert len(first["rewards"]) == len(first["weights"]) == 8
    assert first["groups"] == [2, 2, 2, 2, 3, 3, 3, 3]
    assert first["observed"] == 16


def test_two_processes_share_one_gradient(seen: Seen) -> None:
    first, second = (each["train_by_gradient"] for each in seen)
    assert first["ends"] == second["ends"]
    assert len(first["apart"]) == 6
    assert max(first["apart"].values()) < 2e-5


def test_sharded_gradients_equal_replicated_ones(seen: Seen) -> None:
    first, second = (each["step_sharded"] for each in seen)
    assert first["gramians"] == second["gramians"]
    assert len(first["apart"]) == 4
    assert max(first["apart"].values()) < 2e-5
    for replicated, sharded in first["gramians"].values():
        torch.testing.assert_close(
            torch.tensor(sharded), torch.tensor(replicated), rtol=1e-4, atol=1e-9
        )


@pytest.mark.parametrize("how", ["train_each_kind", "train_sharded"])
def test_two_processes_train_as_one(seen: Seen, alone: dict[str, Any], how: str) -> None:
    assert all(issubclass(SCALARIZERS[name], kind) for name, kind in KINDS.items())
    first, second = (each[how] for each in seen)
    for name, one in alone.items():
        two = first[name]
        for key in ("weights", "state", "end"):
            assert two[key] == second[name][key]
        assert len(one["curves"]) == len(two["curves"]) == 5
        for row, other in zip(one["curves"], two["curves"], strict=True):
            assert other == pytest.approx(row, rel=1e-4, abs=1e-6)
        assert max(abs(row.get("loss", 0.0)) for row in one["curves"]) > 1e-3
        assert two["end"] == pytest.approx(one["end"], abs=1e-6)


if __name__ == "__main__":
    for each in range(len(WORK)):
        in_two_processes(Path(sys.argv[1]), Path(sys.argv[2]), each)
