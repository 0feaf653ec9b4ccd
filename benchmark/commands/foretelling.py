"""Say what time, and what money, a study is foretold to take: for ``crosstalk check``."""

import os
from collections.abc import Iterator, Mapping, Sequence

from benchmark.models.shape import Shape
from benchmark.study.costs import (
    Assumptions,
    Estimate,
    cell_hours,
    estimates,
    study_shape,
)
from benchmark.study.rates import CPU, HOUR, TINY, Stages, card_rates, told_seconds
from benchmark.study.study import Study

OPTIONS = "--generation-rate, --training-rate, --filled; --measure measures"


def rates_here(study: Study, given: Mapping[str, float | None]) -> Assumptions:
    """Return the rates to reckon with: those of this machine's card or processor, as measured.

    A rate that the user gives takes the place of all that was measured of that stage.
    """
    rates = card_rates(_card()) if takes_gpus(study) else CPU
    changes = {name: rate for name, rate in given.items() if rate is not None}
    if "generation_rate" in changes:
        changes |= {"token_seconds": 0.0, "engine_token_seconds": 0.0}
    if "training_rate" in changes:
        changes |= {"update_seconds": 0.0}
    return Assumptions(**(vars(rates) | changes))


def takes_gpus(study: Study) -> bool:
    """Say whether any of a study's policies is trained on a GPU."""
    return any(study.models[cell.model].resources.gpus for cell in study.cells)


def _card() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def gpu_hours(study: Study, estimate: Estimate) -> float:
    """Return the GPU-hours of a model's cells: a share of a GPU for an hour is so much of one."""
    return (estimate.hours or 0.0) * min(1, study.models[estimate.model].resources.gpus)


def gpu_summary(study: Study, assumed: Assumptions, price: float | None) -> str:
    """Return the GPU-hours that a study's cells take by given rates, and what they cost."""
    hours = sum(gpu_hours(study, each) for each in estimates(study, assumed))
    return (
        f"about {told_seconds(hours * HOUR, 'GPU-')}{_cost(hours, price)}, "
        f"{_source(assumed)}assuming {assumed.generation_rate:,.0f} tokens/s generated and "
        f"{assumed.training_rate:,.0f} trained on by a model of 1.5 billion parameters, and "
        f"{_filled(study, assumed)}"
    )


def processor_summary(study: Study, assumed: Assumptions, price: float | None) -> list[str]:
    """Return a line on what a study's cells take on processors, where none asks for a GPU."""
    shapes = {model: _shape(study, model) for model in {cell.model for cell in study.cells}}
    if takes_gpus(study) or None in shapes.values():
        return []
    pairs = [(cell, shapes[cell.model]) for cell in study.cells]
    hours = sum(cell_hours(cell, shape, assumed) for cell, shape in pairs if shape is not None)
    basis = f"{_source(assumed)}{_filled(study, assumed)}"
    return [_on_processor(study, hours * HOUR, price, basis)]


def _shape(study: Study, model: str) -> Shape | None:
    """Return a model's size; of a recipe that is not made yet, that of tiny models."""
    found = study_shape(study, model)
    return TINY if found is None and study.models[model].recipe is not None else found


def _source(assumed: Assumptions) -> str:
    return f"by rates of {assumed.source}, " if assumed.source else ""


def _filled(study: Study, assumed: Assumptions) -> str:
    longest = study.file.sampling.max_tokens
    return f"completions that take {assumed.filled:.0%} of their {longest} tokens ({OPTIONS})"


def _on_processor(study: Study, seconds: float, price: float | None, basis: str) -> str:
    cores = min(os.cpu_count() or 1, len(study.cells))
    machine = seconds / cores
    here = f", {told_seconds(machine)} on {cores} of them" if cores > 1 else ""
    return f"about {told_seconds(seconds)} of one core{here}{_cost(machine / HOUR, price)}, {basis}"


def _cost(hours: float, price: float | None) -> str:
    return "" if price is None else f" ({hours * price:,.2f} at {price:g} an hour)"


# --- by measuring --------------------------------------------------------------------------------


def told(study: Study, stages: Stages) -> Iterator[str]:
    """Yield what was measured of a model, and what its cells are foretold to take."""
    cells = [cell for cell in study.cells if cell.model == stages.cell.model]
    kind = "GPU memory" if stages.on_gpu else "memory"
    yield (
        f"{stages.cell.model}, measured on {stages.device} with {stages.cell.id}: generation "
        f"{stages.generation:.3g} s a step, reward {stages.reward:.3g} s, update "
        f"{stages.update:.3g} s; a validation {stages.validation:.3g} s, a checkpoint "
        f"{stages.checkpoint:.3g} s and {stages.checkpoint_gb:.3g} GB, an evaluation "
        f"{stages.evaluation:.3g} s; {stages.memory_gb:.3g} GB of {kind}"
    )
    whole = [stages.seconds(cell) for cell in cells]
    least, most = told_seconds(min(whole)), told_seconds(max(whole))
    span = least if least == most else f"{least} to {most}"
    yield f"  {len(cells)} cells of {span} each, trained and evaluated"


def total(study: Study, found: Sequence[Stages], price: float | None) -> str:
    """Return what the whole study is foretold to take, from what was measured of each model."""
    by_model = {stages.cell.model: stages for stages in found}
    seconds = {cell.id: by_model[cell.model].seconds(cell) for cell in study.cells}
    places = {(cell.model, cell.objective_set) for cell in study.cells}
    initial = {
        model: by_model[model].evaluation + by_model[model].started(1) for model, _ in places
    }
    whole = sum(seconds.values()) + sum(initial[model] for model, _ in places)
    if not any(stages.on_gpu for stages in found):
        return "foretold: " + _on_processor(study, whole, price, "if completions stay as long")
    shares = {model: study.models[model].resources.gpus for model in by_model}
    spent = sum(seconds[cell.id] * shares[cell.model] for cell in study.cells)
    spent += sum(initial[model] * min(1, shares[model]) for model, _ in places)
    return (
        f"foretold: about {told_seconds(spent, 'GPU-')}{_cost(spent / HOUR, price)}, if "
        "completions stay as long and cells beside one another do not slow each other"
    )
