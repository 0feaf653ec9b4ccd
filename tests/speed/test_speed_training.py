"""Steps per second of the trainer against plain ``GRPOTrainer``, on the default study's cell.

The three take turns, since machines are noisy, and each run is a process of its own, as a cell's
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
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from datasets import Dataset
from pytest_benchmark.fixture import BenchmarkFixture
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOTrainer

from benchmark import tiny_models
from benchmark.objectives import Accuracy, Clarity, Conciseness
from benchmark.policies import load_policy, load_tokenizer
from benchmark.scalarizers import make_scalarizer
from benchmark.stages.policy import make_config
from benchmark.study import Cell, Study
from benchmark.tasks import make_task
from benchmark.training import MultiObjectiveGRPOTrainer

ROOT = Path(__file__).resolve().parents[2]
MODEL = "tiny-qwen2-base"
METHODS = ("plain", "linear", "ctwa")
ROUNDS, STEPS, WARM_UP = 6, 22, 2  # each of the three goes first in a third of the rounds


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


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default study's first model; a minute to make."""
    folder = tmp_path_factory.mktemp("model")
    tiny_models.build(MODEL, folder)
    return folder


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
    return MultiObjectiveGRPOTrainer(
        **arguments,
        scalarizer=make_scalarizer(method, ["accuracy", "conciseness", "clarity"]),
        diagnose_every=cell.study.file.training.diagnose_every,
    )


def run(method: str, model: Path, folder: Path) -> dict[str, Any]:
    """Train for some steps; return each step's wall and processor seconds, and the tokens seen."""
    torch.set_num_threads(1)
    trainer = make_trainer(method, model, Study.load("quick", ROOT).cells[0], folder)
    watch = Stopwatch()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch)
    trainer.train()
    rows = [row for row in trainer.state.log_history if "num_tokens" in row]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": watch.seconds, "tokens": rows[-1]["num_tokens"], "peak_mb": peak}


def run_in_a_process(method: str, model: Path, folder: Path) -> dict[str, Any]:
    """Return what :func:`run` returns in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, method, str(model), str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_steps_per_second_against_plain_grpo(
    benchmark: BenchmarkFixture, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    turns = cycle(range(len(METHODS)))

    def one_round() -> None:
        first = next(turns)
        for method in METHODS[first:] + METHODS[:first]:
            runs[method].append(run_in_a_process(method, model, tmp_path))

    benchmark.pedantic(one_round, rounds=ROUNDS)
    tokens = {done["tokens"] for method in METHODS for done in runs[method]}
    assert len(tokens) == 1  # the same work
    benchmark.extra_info["peak_mb"] = {m: max(r["peak_mb"] for r in runs[m]) for m in METHODS}
    for clock, kind in enumerate(("wall", "processor")):
        middle = {
            method: median(step[clock] for done in runs[method] for step in done["seconds"])
            for method in METHODS
        }
        speed = {method: middle["plain"] / middle[method] for method in METHODS}
        benchmark.extra_info |= {f"{kind}_seconds_per_step": middle, f"{kind}_speed": speed}
        with capsys.disabled():
            shown = (f"{m} {middle[m]:.3f} s a step ({speed[m]:.3f})" for m in METHODS)
            print(f"\n{kind:>9} time (of plain's speed): {', '.join(shown)}", end="")


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
