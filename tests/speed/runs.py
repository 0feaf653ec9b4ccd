"""Trainings to be timed, on the default study's cell: the same work by one method or another.

The methods take turns, since machines are noisy, and each run is a process of its own, as a cell's
is: how memory happens to be laid out in a process makes a step some 5% faster or slower. All start
from the same policy with the same random numbers, and the learning rate is next to nothing, so
that all draw the same completions in every step.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from benchmark.commands.jobs.trainer import make_config
from benchmark.commands.run import KEEP_MEMORY
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.objectives import Accuracy, Clarity, Conciseness
from benchmark.scalarizers import GradientScalarizer, make_scalarizer
from benchmark.study import Cell, load_study
from benchmark.tasks import make_task
from benchmark.training import MultiObjectiveGRPOTrainer

ROOT = Path(__file__).resolve().parents[2]
MODEL = "tiny-qwen2-base"
NAMES = ["accuracy", "conciseness", "clarity"]
LAST_LAYER = r"layers\.1\.mlp\.down_proj"
STEPS, WARM_UP = 22, 2


class Stopwatch(TrainerCallback):
    """Notes when each step begins: a step's seconds hold all that happens until the next."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    @property
    def seconds(self) -> list[tuple[float, float]]:
        """Wall and processor seconds of each step but the last; the first ones are a warm-up."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        steps = [(end[0] - start[0], end[1] - start[1]) for start, end in pairs]
        return steps[WARM_UP:]


class Equal(GradientScalarizer):
    """Weighs by the preference weights: what gradients by objective cost, without any solver."""

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        return self.weights


class Apart(MultiObjectiveGRPOTrainer):
    """A forward pass for every objective's loss, as one would write it first."""

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        shared, self._shared = self._shared, None
        output = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._shared = shared
        if shared is not None:
            shared.append(output)
        return output


def make_trainer(method: str, model: Path, cell: Cell, folder: Path) -> GRPOTrainer:
    config = make_config(cell, folder)
    config.max_steps, config.learning_rate = STEPS, 1e-12
    config.eval_strategy = config.save_strategy = "no"
    config.eval_on_start = False
    problems = make_task("arithmetic").split("train", cell.study.file.task.train)
    arguments: dict[str, Any] = {
        "model": load_policy(model),
        "reward_funcs": [Accuracy(), Conciseness(20.0), Clarity()],
        "args": config,
        "train_dataset": Dataset.from_list(
            [{"prompt": p.prompt, "answer": p.answer} for p in problems]
        ),
        "processing_class": load_tokenizer(model),
    }
    if method == "plain":
        return GRPOTrainer(**arguments)
    by_gradient = {"exact": "all", "apart": "all", "last layer": LAST_LAYER}
    scalarizer = Equal(NAMES) if method in by_gradient else make_scalarizer(method, NAMES)
    kind = Apart if method == "apart" else MultiObjectiveGRPOTrainer
    return kind(
        **arguments,
        scalarizer=scalarizer,
        diagnose_every=cell.study.file.training.diagnose_every,
        gramian_parameters=by_gradient.get(method, "all"),
    )


def run(method: str, model: Path, folder: Path) -> dict[str, Any]:
    """Train for some steps; return each step's wall and processor seconds, and the tokens seen."""
    torch.set_num_threads(1)
    trainer = make_trainer(method, model, load_study("quick", ROOT).cells[0], folder)
    watch = Stopwatch()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch)
    trainer.train()
    rows = [row for row in trainer.state.log_history if "num_tokens" in row]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    updates = [row["time/update"] for row in rows if "time/update" in row][WARM_UP:]
    generation = [row["time/generation"] for row in rows if "time/generation" in row][WARM_UP:]
    return {
        "seconds": watch.seconds,
        "update": updates,  # none of plain GRPO
        "generation": generation,
        "tokens": rows[-1]["num_tokens"],
        "peak_mb": peak,
    }


def run_in_a_process(method: str, model: Path, folder: Path) -> dict[str, Any]:
    """Return what :func:`run` returns in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, method, str(model), str(folder)],
        env=KEEP_MEMORY | os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def interleaved(
    benchmark: BenchmarkFixture, methods: Sequence[str], model: Path, folder: Path, rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """Return each method's runs; the methods take turns at going first."""
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    turns = cycle(range(len(methods)))

    def one_round() -> None:
        first = next(turns)
        for method in [*methods[first:], *methods[:first]]:
            runs[method].append(run_in_a_process(method, model, folder))

    benchmark.pedantic(one_round, rounds=rounds)
    tokens = {done["tokens"] for method in methods for done in runs[method]}
    assert len(tokens) == 1  # the same work
    benchmark.extra_info["peak_mb"] = {m: max(r["peak_mb"] for r in runs[m]) for m in methods}
    return runs


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
