r"""Estimate a study's GPU memory per model, its GPU-hours and its disk before running it.

Memory of training one cell, in bytes, is what stays, and the larger of what a rollout and an update
add:

* weights: 4 a parameter, 2 where LoRA leaves them frozen in bfloat16;
* gradients and the two states of Adam: 4 + 8 a trained parameter;
* the reference policy of the KL term: 4 a parameter, none with LoRA, whose adapters are set aside;
* reward models: 4 a parameter each;
* rollout by the policy itself: a step's completions × (prompt + completion) tokens × layers × 2 ×
  kv_width × 2, the cache of keys and values, and 8 a completion and vocabulary entry for sampling;
  by an engine next to it, the share of the GPU in its model's entry, always;
* update: activations of a micro-batch, and 3 × 4 × 4,096 tokens × 32,768 vocabulary entries, at
  most, for log-probabilities; for a method of gradients 4 a compared parameter and objective;
* 1.5 GB for the libraries themselves.

What stays is shared out among the processes of a fully sharded training.

Activations of a layer are 2 (float32: 4) bytes × tokens × (8 hidden + 4 kv_width + 3 intermediate);
with gradient checkpointing those of one layer are held, and each layer's input.

Disk, in bytes: a checkpoint holds the trained parameters and two moments, 12 a trained parameter;
the last one of a training, which nothing goes on from, the parameters alone, 4, unless they were
sharded. A cell keeps the last two and those of its diagnosis, and one more while it trains.

Hours are tokens by throughput and, where rates were measured, what a step takes however small the
model: the caller gives them, assumed or from :mod:`benchmark.study.rates`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.models.policy.gradients import ALL, LORA
from benchmark.models.preparing import model_places
from benchmark.models.shape import Shape, model_shape
from benchmark.scalarizers import GradientScalarizer
from benchmark.study.study import Cell, Study

GIGABYTE = 1e9
LIBRARIES_GB = 1.5
LOGP_TOKENS, LOGP_VOCABULARY = 4096, 32768  # what TRL computes log-probabilities of at a time
REFERENCE_PARAMETERS = 1.5e9  # what the assumed throughput is of; another size scales it


@dataclass(frozen=True)
class Assumptions:
    """What hours depend on and cannot be known before a run.

    Attributes:
        generation_rate: Tokens a second that a GPU generates, for a model of 1.5 billion.
        training_rate: Tokens a second, prompts included, through forward and backward pass.
        filled: The share of ``max_tokens`` that completions take on average.
        prompt_tokens: The mean length of a prompt.
        token_seconds: What a batch's next token takes besides, whatever the model's size, where the
            policy itself draws.
        engine_token_seconds: The same where vLLM draws.
        update_seconds: What an update takes besides.
        start_seconds: From a job's start to its first step.
        source: What was measured, in words; empty where the rates are assumed.
    """

    generation_rate: float = 10_000
    training_rate: float = 10_000
    filled: float = 0.5
    prompt_tokens: int = 200
    token_seconds: float = 0.0
    engine_token_seconds: float = 0.0
    update_seconds: float = 0.0
    start_seconds: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class Estimate:
    """What one model of a study needs.

    Attributes:
        model: Its id.
        shape: Its size; None if that is not known before it is downloaded.
        memory_gb: The most GPU memory that training one of its cells takes.
        hours: GPU-hours of all its cells, their evaluation included.
    """

    model: str
    shape: Shape | None
    memory_gb: float | None
    hours: float | None


def estimates(study: Study, assumed: Assumptions) -> Iterator[Estimate]:
    """Yield what each model of a study needs, in the order of its cells."""
    for model in dict.fromkeys(cell.model for cell in study.cells):
        yield estimate_of(study, model, assumed)


def estimate_of(study: Study, model: str, assumed: Assumptions) -> Estimate:
    """Return what one model of a study needs; others may be in the making meanwhile."""
    shape = study_shape(study, model)
    if shape is None:
        return Estimate(model, None, None, None)
    cells = [cell for cell in study.cells if cell.model == model]
    memory = max(memory_gb(cell, shape) for cell in cells)
    hours = sum(cell_hours(cell, shape, assumed) for cell in cells)
    return Estimate(model, shape, memory, hours)


def study_shape(study: Study, model: str) -> Shape | None:
    """Return how large a model is: by its weights if they are here, else as its entry says."""
    spec = study.models[model]
    return model_shape(spec.shape, model_places(model, spec, study.layout.root))


def memory_gb(cell: Cell, shape: Shape) -> float:
    """Return the memory of each GPU that training a cell takes, by the module's formula."""
    own, resources = cell.study.models[cell.model].training, cell.study.models[cell.model].resources
    training, sampling = cell.study.file.training, cell.study.file.sampling
    trained = shape.parameters if own.lora is None else shape.lora_parameters(own.lora.rank)
    stays: float = shape.parameters * (2 if own.frozen_dtype == "bfloat16" else 4) + 12 * trained
    if own.lora is None and training.kl > 0:
        stays += 4 * shape.parameters
    elif own.lora is not None:
        stays += 4 * trained
    if cell.parallelism == "fsdp2":  # reward models are whole in each process
        stays /= cell.processes
    for name in cell.study.objective_models(cell.objective_set, trained=True):
        read = study_shape(cell.study, name)
        stays += 4 * read.parameters if read is not None else 0
    completions = training.prompts_per_step * training.completions_per_prompt // cell.processes
    tokens = sampling.max_prompt_tokens + sampling.max_tokens
    cache = tokens * shape.layers * 2 * shape.kv_width * 2
    alone = training.rollouts == "transformers"
    rollout = completions * (cache + 8 * shape.vocabulary) if alone else 0
    at_once = own.completions_at_once(completions // training.minibatches)
    update = _activations(cell, shape, at_once * tokens) + _compared(cell, shape, trained)
    left = 1 - (resources.vllm_share if training.rollouts == "vllm" else 0)
    return ((stays + max(rollout, update)) / GIGABYTE + LIBRARIES_GB) / left


def _activations(cell: Cell, shape: Shape, tokens: int) -> int:
    own = cell.study.models[cell.model].training
    size = 4 if own.precision == "fp32" else 2
    layer = size * tokens * (8 * shape.hidden + 4 * shape.kv_width + 3 * shape.intermediate)
    logps = 12 * min(tokens, LOGP_TOKENS) * min(shape.vocabulary, LOGP_VOCABULARY)
    if own.gradient_checkpointing:
        return layer + shape.layers * size * tokens * shape.hidden + logps
    return shape.layers * layer + logps


def _compared(cell: Cell, shape: Shape, trained: int) -> float:
    """Return what the objectives' gradients take, where a method compares them."""
    if not weighs_gradients(cell):
        return 0
    which = cell.study.file.training.gramian_parameters
    lora = cell.study.models[cell.model].training.lora
    share = 1.0
    if which not in (ALL, LORA):
        layers = range(shape.layers)
        found = sum(
            re.search(which, f"model.layers.{i}.mlp.up_proj.weight") is not None for i in layers
        )
        share = found / shape.layers
    own = shape.layers * shape.layer_parameters if lora is None and share < 1 else trained
    return 4 * _gradients(cell) * own * share


def disk_bytes(cell: Cell, trained: int, *, training: bool) -> int:
    """Return the most that checkpoints of a cell take, while it trains or afterwards.

    A step of the diagnosis may be one of the last, which then counts twice.
    """
    kept = len(cell.diagnosed_updates)
    last = 4 if cell.leaves_thin_checkpoint else 12
    return trained * (12 * (kept + 3) if training else 12 * (kept + 1) + last)


def trained_parameters(cell: Cell, shape: Shape) -> int:
    """Return how many of a model's parameters training the cell changes."""
    lora = cell.study.models[cell.model].training.lora
    return shape.parameters if lora is None else shape.lora_parameters(lora.rank)


def study_disk(study: Study) -> int:
    """Return what the checkpoints of the cells take that are not trained yet, in bytes.

    Cells of models whose size is not known count for nothing.
    """
    shapes = {model: study_shape(study, model) for model in {cell.model for cell in study.cells}}
    kept, extra = 0, 0
    for cell in study.cells:
        shape = shapes[cell.model]
        if shape is not None and not (cell.folder / "train.json").is_file():
            trained = trained_parameters(cell, shape)
            own = disk_bytes(cell, trained, training=False)
            kept += own
            extra = max(extra, disk_bytes(cell, trained, training=True) - own)
    return kept + extra


def cell_hours(cell: Cell, shape: Shape, assumed: Assumptions) -> float:
    """Return the hours of a cell's processes: rollouts, updates, validations, its evaluation."""
    training, task = cell.study.file.training, cell.study.file.task
    scale = shape.parameters / REFERENCE_PARAMETERS
    length = assumed.filled * cell.study.file.sampling.max_tokens
    drawn = training.steps * training.prompts_per_step * training.completions_per_prompt
    held_out = validations(cell) * task.validation * training.validation_samples
    held_out += task.test * cell.study.file.evaluation.samples
    generated = (drawn + held_out) * length / assumed.generation_rate
    trained = drawn * training.passes * (length + assumed.prompt_tokens) / assumed.training_rate
    updates = training.steps * training.updates_per_step
    besides = _waited(cell, assumed) + 2 * assumed.start_seconds
    update = scale * trained + updates * assumed.update_seconds
    return (scale * generated + update * update_passes(cell) + besides) / 3600


def validations(cell: Cell) -> int:
    """Return how often a cell validates its policy, the initial one included."""
    training = cell.study.file.training
    return training.steps // training.validate_every + 1


def evaluation_batches(cell: Cell) -> int:
    """Return how many batches of completions a cell's evaluation draws."""
    plan = cell.study.file.evaluation
    return -(-cell.study.file.task.test * plan.samples // plan.batch_size)


def _waited(cell: Cell, assumed: Assumptions) -> float:
    """Return the seconds of drawing that no smaller model saves: a batch's tokens, one by one."""
    file = cell.study.file
    own = file.training.rollouts == "transformers"
    rollout = assumed.token_seconds if own else assumed.engine_token_seconds
    batches = evaluation_batches(cell) + validations(cell)
    seconds = file.training.steps * rollout + batches * assumed.token_seconds
    return file.sampling.max_tokens * seconds


def update_passes(cell: Cell) -> float:
    """Return the time of an update relative to ``linear``'s; a backward costs two forwards."""
    if not weighs_gradients(cell):
        return 1.0
    again = cell.study.models[cell.model].training.gradient_checkpointing  # forward, once more
    backward = 3 if again else 2
    return (1 + _gradients(cell) * backward) / (1 + backward)


def _gradients(cell: Cell) -> int:
    """Return how many gradients a method that compares them takes of an update."""
    cls = cell.scalarizer_class
    halves = issubclass(cls, GradientScalarizer) and cls.halves
    return (2 if halves else 1) * len(cell.objectives)


def weighs_gradients(cell: Cell) -> bool:
    """Say whether the cell's method compares the objectives' gradients."""
    return issubclass(cell.scalarizer_class, GradientScalarizer)
