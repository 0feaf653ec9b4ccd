"""Measure what the stages of a cell take on this machine, by two steps of its own training.

Nothing of it is tracked, and nothing stays: the checkpoint goes into a folder that is removed.
"""

import gc
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch
from transformers import PrinterCallback, TrainerCallback

from benchmark.commands.baseline import evaluation_problems
from benchmark.commands.check import check_gpu
from benchmark.commands.foretelling import told, total
from benchmark.commands.jobs.trainer import make_trainer
from benchmark.commands.prepare import prepare, prepare_objectives
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import scratch_folder
from benchmark.models.policy.answers import draw, generate
from benchmark.models.policy.engines import evaluation_backend
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.objectives.scoring import score
from benchmark.study.costs import GIGABYTE, evaluation_batches, weighs_gradients
from benchmark.study.rates import Stages
from benchmark.study.study import Cell, Study
from benchmark.tracking.names import TIME

STEPS = 2  # the first one warms up, the second is measured
PREFIX = "crosstalk-measure-"


class _Marks(TrainerCallback):
    """Notes when a trainer's stages end."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.seconds: dict[str, list[float]] = {"step": [], "evaluate": [], "save": []}

    def _end(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage].append(now - self.last)
        self.last = now

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.last = time.perf_counter()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self._end("step")

    def on_evaluate(self, *args: Any, **kwargs: Any) -> None:
        self._end("evaluate")

    def on_save(self, *args: Any, **kwargs: Any) -> None:
        self._end("save")


class _Trained(NamedTuple):
    start: float
    stages: Mapping[str, float]
    validation: float
    checkpoint: float
    checkpoint_gb: float


def measured(study: Study, price: float | None) -> Iterator[str]:
    """Measure two steps of one cell a model on this machine; yield what they say of the study.

    Raises:
        CrosstalkError: A model's cell cannot be trained here.
    """
    imports = time.time() - psutil.Process().create_time()  # what each job begins with, too
    found: list[Stages] = []
    for model in dict.fromkeys(cell.model for cell in study.cells):
        check_gpu(study, model)
        found.append(measure(_measured_cell(study, model), imports))
        yield from told(study, found[-1])
    yield total(study, found, price)


def _measured_cell(study: Study, model: str) -> Cell:
    """Return the first cell of a model whose update takes one backward pass, else the first."""
    cells = [cell for cell in study.cells if cell.model == model]
    return next((cell for cell in cells if not weighs_gradients(cell)), cells[0])


def measure(cell: Cell, imports: float) -> Stages:
    """Train two steps of a cell and evaluate a batch of its test prompts; return what they took.

    Args:
        cell: A cell of one process.
        imports: The seconds from a job's start until its libraries are imported.

    Raises:
        CrosstalkError: Several processes train it, or what it needs is not there.
    """
    if cell.processes > 1:
        raise CrosstalkError(
            f"models.yaml: {cell.model}: resources.gpus: expected at most 1 to measure with, got "
            f"{cell.processes}"
        )
    model = prepare(cell.study.layout.root, cell.model)
    prepare_objectives(cell.study, cell.objective_set)
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    trained = _train(_short(cell))
    memory = torch.cuda.max_memory_reserved() / GIGABYTE if on_gpu else _held_gb()
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
    return Stages(
        cell=cell,
        start=trained.start,
        imports=imports,
        **trained.stages,
        validation=trained.validation,
        checkpoint=trained.checkpoint,
        evaluation=_evaluation(cell, model),
        memory_gb=memory,
        checkpoint_gb=trained.checkpoint_gb,
        device=torch.cuda.get_device_name(0) if on_gpu else "this machine's processor",
        on_gpu=on_gpu,
    )


def _short(cell: Cell) -> Cell:
    """Return the cell with two steps, validated before and after, and one checkpoint."""
    file = cell.study.file
    steps = {"steps": STEPS, "validate_every": STEPS, "checkpoint_every": STEPS}
    training = file.training.model_copy(update=steps)
    short = file.model_copy(update={"training": training, "diagnosis": None})
    return replace(cell, study=replace(cell.study, file=short))


def _train(cell: Cell) -> _Trained:
    begin, marks = time.perf_counter(), _Marks()
    with scratch_folder(PREFIX) as folder:
        trainer = make_trainer(cell, folder)
        start = time.perf_counter() - begin
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(marks)
        trainer.train()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        updates = cell.study.file.training.updates_per_step
        stages = _last_step(trainer.state.log_history, updates)
    validation, checkpoint = marks.seconds["evaluate"][-1], marks.seconds["save"][-1]
    return _Trained(start, stages, validation, checkpoint, size / GIGABYTE)


def _last_step(log: Sequence[Mapping[str, Any]], updates: int) -> dict[str, float]:
    """Return the seconds of each stage of the last step, which makes so many updates."""
    rows = [row for row in log if f"{TIME}update" in row][-updates:]
    stages = ("generation", "reward", "update")
    return {stage: sum(row[f"{TIME}{stage}"] for row in rows) for stage in stages}


def _evaluation(cell: Cell, model: Path) -> float:
    """Return the seconds of an evaluation, from the initial policy's first batch of completions."""
    study = cell.study
    plan, sampling = study.file.evaluation, study.file.sampling
    problems = evaluation_problems(study)
    part = problems[: max(1, plan.batch_size // plan.samples)]
    begin = time.perf_counter()
    if evaluation_backend(plan.backend) == "vllm":  # it starts an engine, and draws all at once
        completions = generate(model, part, sampling, plan)
        loaded = time.perf_counter() - begin
        drawn = 0.0
    else:
        tokenizer, policy = load_tokenizer(model), load_policy(model).eval()
        if torch.cuda.is_available():
            policy = policy.to("cuda")
        loaded = time.perf_counter() - begin
        completions = draw(policy, tokenizer, part, sampling, plan)
        drawn = time.perf_counter() - begin - loaded
    begin = time.perf_counter()
    mean = float(completions.tokens.mean())
    score(completions, [o.for_evaluation(mean) for o in study.make_evaluated(cell.objective_set)])
    scored = time.perf_counter() - begin
    return loaded + drawn * evaluation_batches(cell) + scored * len(problems) / len(part)


def _held_gb() -> float:
    """Return the most main memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIGABYTE
