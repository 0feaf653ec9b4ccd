"""``crosstalk probe``: measure the geometry of a model's initial policy on an objective set."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from transformers import PreTrainedTokenizerBase

from benchmark.commands.baseline import read_baseline
from benchmark.commands.prepare import prepare, prepare_objectives
from benchmark.common.files import exclusive
from benchmark.common.records import Record
from benchmark.diagnosis.geometry.probe import (
    Report,
    Sample,
    measure_gradients,
    measure_mass,
    measure_states,
    probe_states,
)
from benchmark.models.policy.answers import generate, prompt_ids
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.sampling import Evaluation
from benchmark.objectives.scoring import score_everywhere
from benchmark.study.study import Study

STATES = 6  # of the logit Jacobian
PROMPTS = 32  # validation problems that the gradients are estimated on
BATCHES = 4  # of prompts, each with its own gradient
SAMPLES = 8  # completions per prompt
SEED = 20_269


@dataclass(frozen=True)
class Geometry(Record):
    """The metrics ``geometry/…`` as strict JSON has them, and what could not be measured."""

    FILE: ClassVar[str] = "geometry.json"
    MISSING: ClassVar[str] = "the initial policy is not probed"
    COMMAND: ClassVar[str] = "probe"

    metrics: dict[str, float | str | None]
    notes: dict[str, str]


def probe_model(study: Study, model: str, objective_set: str) -> None:
    """Measure the initial policy's geometry and write it to ``probe/geometry.json``.

    The logit Jacobian and the gradients are measured on new completions of the first validation
    problems, the mass on optimal completions on the baseline's completions of the test problems.
    """
    folder = probe_folder(study, model, objective_set)
    with exclusive(folder / ".lock", f"probing the initial policy of {model}"):
        report = _measure(study, model, objective_set)
        metrics = {key: _plain(value) for key, value in report.metrics.items()}
        Geometry(study.probe_hash(model, objective_set), metrics, report.notes).write(folder)


def read_probe(study: Study, model: str, objective_set: str) -> dict[str, float]:
    """Return the metrics ``geometry/…`` that :func:`probe_model` wrote; NaN where unknown."""
    folder = probe_folder(study, model, objective_set)
    hash_ = study.probe_hash(model, objective_set)
    metrics = Geometry.require(folder, hash_, f"{study.name} {model} {objective_set}").metrics
    return {key: math.nan if value is None else float(value) for key, value in metrics.items()}


def probe_folder(study: Study, model: str, objective_set: str) -> Path:
    """Return the folder of a probe, next to the baseline's."""
    return study.layout.probe(model, objective_set)


def _prompts(study: Study) -> int:
    return min(PROMPTS, study.file.task.validation)


def _measure(study: Study, model: str, objective_set: str) -> Report:
    names = study.objective_names(objective_set)
    baseline = read_baseline(study, model, objective_set)
    source = prepare(study.layout.root, model)
    prepare_objectives(study, objective_set)
    policy, tokenizer = load_policy(source), load_tokenizer(source)
    filler = int(tokenizer.pad_token_id)
    sample, upper = _draw(study, objective_set, source, tokenizer, baseline.tokens)
    given = study.objective_set(objective_set).weights or (1.0,) * len(names)
    weights = np.array(given) / sum(given)
    report = Report()
    measure_mass(baseline.rewards, upper, weights, names, report)
    measure_gradients(
        policy,
        sample,
        upper,
        weights,
        names,
        batches=min(BATCHES, _prompts(study)),
        filler=filler,
        report=report,
    )
    states = probe_states(sample, STATES)
    measure_states(policy, states, filler, SEED, report)
    return report


def _draw(
    study: Study,
    objective_set: str,
    source: Path,
    tokenizer: PreTrainedTokenizerBase,
    tokens: float,
) -> tuple[Sample, np.ndarray]:
    """Draw and score completions; return them with the objectives' upper bounds (M,)."""
    sampling = study.file.sampling
    problems = study.task.split("validation", study.file.task.validation)
    size = study.file.evaluation.batch_size
    plan = Evaluation(samples=SAMPLES, seed=SEED, batch_size=size)
    completions = generate(source, problems[: _prompts(study)], sampling, plan)
    objectives = [o.for_evaluation(tokens) for o in study.make_objectives(objective_set)]
    rewards = score_everywhere(completions, objectives)
    prompts = prompt_ids(tokenizer, completions)
    sample = Sample(prompts, completions.ids, rewards, sampling.temperature)
    return sample, np.array([objective.upper_bound for objective in objectives])


def _plain(value: float) -> float | str | None:
    """Return a number in strict JSON: null for NaN, a word for infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)
