"""``crosstalk check``: report what a study needs, and whether it can run here."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmark.commands.budget import budget_lines, stale_lines
from benchmark.commands.foretelling import gpu_hours, gpu_summary, takes_gpus
from benchmark.commands.jobs.gpus import kept_on_cpu
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import model_folder, relative
from benchmark.models.entry import ModelSpec
from benchmark.models.fitting import (
    check_code,
    check_policy_tokenizer,
    idle_end_of_turn,
    stop_difference,
)
from benchmark.models.policy.engines import evaluation_backend, need_vllm
from benchmark.models.policy.loading import holds_code
from benchmark.models.preparing import give_template, model_places
from benchmark.study.costs import (
    GIGABYTE,
    Assumptions,
    Estimate,
    estimate_of,
    estimates,
    study_disk,
)
from benchmark.study.downloads import not_installed, study_needs
from benchmark.study.rates import HOUR, told_seconds
from benchmark.study.study import Cell, Study
from benchmark.tasks.licences import non_commercial

SPARE = 0.9  # of a GPU: what an estimate may fill for advice to be sound


def report(study: Study, assumed: Assumptions, price: float | None = None) -> list[str]:
    """Return lines on packages, downloads, time and money, GPUs and disk, vLLM, and stop tokens.

    Raises:
        CrosstalkError: A model has no revision yet, needs code that is not trusted, or its
            tokenizer does not fit.
    """
    tokens = _token_lines(study)
    packages = [f"warning: {error}" for error in not_installed(study)]
    costs = [*_gpu_lines(study, assumed, price), *_disk_lines(study)]
    told = [*_licence_lines(study), *_gate_lines(study)]
    told += [*budget_lines(study, assumed), *stale_lines(study)]
    return [*packages, *_downloads(study), *costs, *_vllm_lines(study), *told, *tokens]


def _licence_lines(study: Study) -> Iterator[str]:
    """Yield a warning for each data set of the task that is not for commercial use."""
    for need in study.task.needs():
        licence = non_commercial(need.repo)
        if licence is not None:
            yield (
                f"warning: {study.where}: task {study.file.task.name}: {need.repo} is under "
                f"{licence}: not for commercial use"
            )


def _gate_lines(study: Study) -> Iterator[str]:
    """Yield a warning for each gated objective whose ungated reward a set does not show."""
    for name in study.file.objective_sets:
        entries = [study.objective(each) for each in study.evaluated_names(name)]
        shown = [entry.told(study.model_digest) for entry in entries]
        for entry in entries:
            easy = entry.parts.get("easy")
            if easy is not None and easy.told(study.model_digest) not in shown:
                yield (
                    f"warning: {study.where}: objective_sets.{name}: {entry.id} counts "
                    f"{easy.id} only behind its gate; evaluation_only: [{easy.id}] shows it "
                    "without"
                )


def _token_lines(study: Study) -> Iterator[str]:
    """Yield how completions of the study's policies end, of those whose files are here.

    Tiny models are built with a tokenizer that fits, unless their entry gives them a template.
    """
    root = study.layout.root
    for model in study.file.models:
        spec = study.models[model]
        folder = _files(spec, model, root)
        if folder is None or (spec.recipe is not None and spec.chat_template is None):
            continue
        check_code(model, spec, folder)
        if holds_code(folder) and not spec.trust_remote_code:
            continue  # loading the tokenizer here might run it
        tokenizer = check_policy_tokenizer(model, folder)
        if folder != model_folder(root, model):  # a prepared one has it already
            give_template(model, spec, tokenizer)
        difference, idle = stop_difference(folder, tokenizer), idle_end_of_turn(tokenizer)
        if difference is not None:
            yield f"{model}: {difference}"
        if idle is not None:
            yield f"warning: models.yaml: {model}: {idle}"


def _files(spec: ModelSpec, model: str, root: Path) -> Path | None:
    """Return a folder with the model's config and tokenizer, its own if it has one."""
    places = [root / spec.path] if spec.path is not None else model_places(model, spec, root)
    return next((place for place in places if (place / "config.json").is_file()), None)


def _downloads(study: Study) -> list[str]:
    needs = study_needs(study)
    if not needs:
        return []
    lines = [
        f"  {'in the cache' if need.there else 'to download'}: {need.what}"
        + (f", {need.gigabytes:.3g} GB" if need.gigabytes is not None else ", size not known")
        for need in needs
    ]
    left = [need for need in needs if not need.there]
    total = sum(need.gigabytes or 0 for need in left)
    done = f"{total:.3g} GB to download with `crosstalk prepare {study.path.stem}`"
    return [f"from the hub: {done if left else 'all there'}", *lines]


def _gpu_lines(study: Study, assumed: Assumptions, price: float | None) -> list[str]:
    if not takes_gpus(study):
        return []
    found = [each for each in estimates(study, assumed) if _gpus(study, each.model)]
    problem = gpu_problem(study, found)
    warnings = [f"warning: {problem}"] if problem is not None else []
    lines = [_line(study, each) for each in found]
    return [gpu_summary(study, assumed, price), *lines, *_spared(study, found), *warnings]


def _spared(study: Study, found: list[Estimate]) -> Iterator[str]:
    """Yield where activations are computed again that this machine's GPU could keep."""
    import torch

    if not torch.cuda.is_available():
        return
    for each in found:
        spec = study.models[each.model]
        if each.memory_gb is None or not spec.training.gradient_checkpointing:
            continue
        without, room = _without_checkpointing(study, each.model), _room(study, each.model)
        if without < SPARE * room:
            yield (
                f"  models.yaml: {each.model}: training.gradient_checkpointing is not needed on "
                f"{room:.0f} GB, by the estimate: {without:.0f} GB without it; updates take a "
                "quarter less time then, and the cells are retrained"
            )


def _room(study: Study, model: str) -> float:
    """Return how much memory of this machine's GPU a job of a model may take, in gigabytes."""
    import torch

    here = torch.cuda.get_device_properties(0).total_memory / GIGABYTE
    return here * min(1, study.models[model].resources.gpus)


def _without_checkpointing(study: Study, model: str) -> float:
    """Return the GPU memory of a model of known size whose activations are all kept."""
    spec = study.models[model]
    kept = spec.training.model_copy(update={"gradient_checkpointing": False})
    models = study.models | {model: spec.model_copy(update={"training": kept})}
    found = estimates(replace(study, models=models), Assumptions())
    return next(each.memory_gb or 0.0 for each in found if each.model == model)


def _disk_lines(study: Study) -> list[str]:
    """Return what the checkpoints of a study take, where that is much or too much."""
    needed, place = study_disk(study) / GIGABYTE, study.layout.runs
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / GIGABYTE
    if needed > free:
        few = "diagnosis.steps, or run" if study.file.diagnosis is not None else "cells, or run"
        return [
            f"warning: {study.where}: the checkpoints of its cells need about {needed:.3g} GB, and "
            f"the disk of {relative(study.layout.runs)} has {free:.3g} GB free; fewer {few} it "
            "where there is more"
        ]
    return [f"disk: about {needed:.3g} GB of checkpoints, {free:.3g} GB are free"] * (needed >= 1)


def _vllm_lines(study: Study) -> list[str]:
    """Return a warning where vLLM is asked for that is not here: jobs may run on other machines."""
    rollouts = study.file.training.rollouts
    try:
        if rollouts != "transformers":
            need_vllm("training.rollouts", rollouts)
        evaluation_backend(study.file.evaluation.backend)
    except CrosstalkError as problem:
        return [f"warning: {study.where}: {problem}"]
    return []


def _line(study: Study, estimate: Estimate) -> str:
    cells = sum(cell.model == estimate.model for cell in study.cells)
    if estimate.memory_gb is None:
        return f"  {estimate.model}: {cells} cells; its size is not known before it is downloaded"
    return (
        f"  {estimate.model}: {cells} cells, {estimate.memory_gb:.0f} GB of GPU memory, "
        f"{told_seconds(gpu_hours(study, estimate) * HOUR, 'GPU-')}"
    )


def gpu_problem(study: Study, found: list[Estimate]) -> str | None:
    """Return why this machine's GPUs cannot train a study's cells; None if they can."""
    import torch

    needing = [each.model for each in found if _gpus(study, each.model)]
    if not needing:
        return None
    if not torch.cuda.is_available():
        return f"{study.where}: {', '.join(needing)}: needs a GPU, and there is none here"
    for each in found:
        gpus, room = study.models[each.model].resources.gpus, _room(study, each.model)
        whose = "this GPU" if gpus >= 1 else f"{gpus:g} of this GPU"
        if each.memory_gb is not None and each.memory_gb > room:
            return (
                f"{study.where}: {each.model}: needs about {each.memory_gb:.0f} GB of GPU memory, "
                f"{whose} has {room:.0f} GB; {remedy(study, each.model)}"
            )
    return None


def remedy(study: Study, model: str) -> str:
    """Return which settings to change where a model's cells need less GPU memory."""
    own, resources = study.models[model].training, study.models[model].resources
    training = study.file.training
    whole = training.prompts_per_step * training.completions_per_prompt // training.minibatches
    changes = [f"resources.gpus above {resources.gpus:g}"] if 0 < resources.gpus < 1 else []
    changes += [f"training.micro_batch below {own.completions_at_once(whole)}"]
    if not own.gradient_checkpointing:
        changes.append("training.gradient_checkpointing: true")
    if own.lora is None:
        changes.append("training.lora")
    if training.rollouts == "vllm":
        changes.append(f"resources.vllm_memory below {resources.vllm_share}")
    return f"in models.yaml, {model}: " + ", or ".join(changes)


def out_of_memory(cell: Cell) -> str:
    """Return the message for a cell whose training ran out of GPU memory."""
    return (
        f"{cell.id}: out of GPU memory; {remedy(cell.study, cell.model)}: "
        "any change but of resources retrains the cell"
    )


def check_gpu(study: Study, model: str) -> None:
    """Refuse, in the job itself, a machine whose GPUs cannot train a model's cells."""
    if kept_on_cpu():
        return
    problem = gpu_problem(study, [estimate_of(study, model, Assumptions())])
    if problem is not None:
        raise CrosstalkError(problem)


def _gpus(study: Study, model: str) -> int | float:
    return study.models[model].resources.gpus
