"""``crosstalk diagnose``: put the covariance law to the test on a trained cell, from checkpoints.

Each training step that the study names is made again (:mod:`benchmark.commands.jobs.replay`), and
its policies before, after, and at other multiples of the step answer held-out prompts
(:mod:`benchmark.commands.jobs.step`). Training and what it left stay as they are. A diagnosis that
was interrupted goes on with the step it was at.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.commands.baseline import read_baseline
from benchmark.commands.jobs.records import Diagnosed, Trained
from benchmark.commands.jobs.replay import checkpoint_at, replay_step
from benchmark.commands.jobs.step import StepDiagnosis
from benchmark.commands.prepare import prepare_objectives
from benchmark.commands.probe import read_probe
from benchmark.common.files import exclusive, replacing
from benchmark.diagnosis.attribution import (
    Evidence,
    declines,
    gather_evidence,
    per_objective,
    step_metrics,
)
from benchmark.diagnosis.samples import StepSample, from_frame, to_frame
from benchmark.study.schema import Diagnosis
from benchmark.study.study import Cell, diagnosis_plan
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.names import (
    ATTRIBUTION,
    DIAGNOSED_DECLINES,
    DIAGNOSIS_HASH,
    DIAGNOSIS_TABLE,
)
from benchmark.tracking.run import CellRun

logger = logging.getLogger(__name__)

Samples = Mapping[int, StepSample]  # by training step


def diagnose(cell: Cell) -> None:
    """Diagnose a trained cell, log the findings to its tracked run, and write its record."""
    plan = diagnosis_plan(cell.study)
    with exclusive(cell.folder / ".lock", f"diagnosing {cell.id}"):
        record = Trained.of(cell)
        geometry = _geometry(cell, plan)
        steps = cell.study.file.diagnosed_steps
        _check_checkpoints(cell, steps)
        samples = {step: _sample(cell, plan, step) for step in steps}
        evidence = _evidence(cell, plan, samples)
        why = per_objective(evidence, cell.objectives)
        fell = dict(zip(cell.objectives, declines(evidence).sum(axis=0).tolist(), strict=True))
        _track(cell, record.run_id, geometry, samples, {ATTRIBUTION: why, DIAGNOSED_DECLINES: fell})
        Diagnosed(cell.diagnosis_hash, record.run_id, why, fell, list(steps)).write(cell.folder)


def _geometry(cell: Cell, plan: Diagnosis) -> dict[str, float]:
    """Return the geometry of the initial policy; nothing if the study does not ask for it."""
    return read_probe(cell.study, cell.model, cell.objective_set) if plan.probe else {}


def _check_checkpoints(cell: Cell, steps: Iterable[int]) -> None:
    for step in steps:
        if step > 0:
            checkpoint_at(cell, step)


def _sample(cell: Cell, plan: Diagnosis, step: int) -> StepSample:
    """Measure a step, or return what an earlier attempt measured of it."""
    kept = _kept(cell, step)
    if kept.is_file():
        return from_frame(pd.read_parquet(kept), cell.objectives)[step]
    sample = _measure(cell, plan, step)
    _write({step: sample}, cell, kept)
    logger.info("%s: step %d diagnosed", cell.id, step)
    return sample


def _kept(cell: Cell, step: int) -> Path:
    return cell.folder / "diagnosis" / f"{cell.diagnosis_hash}-step{step}.parquet"


def _measure(cell: Cell, plan: Diagnosis, step: int) -> StepSample:
    prepare_objectives(cell.study, cell.objective_set)
    tokens = read_baseline(cell.study, cell.model, cell.objective_set).tokens
    objectives = cell.study.make_objectives(cell.objective_set)
    problems = cell.study.task.split("validation", plan.prompts + plan.max_prompts)
    fixed = [objective.for_evaluation(tokens) for objective in objectives]
    seed = int(np.random.SeedSequence([plan.seed, step]).generate_state(1)[0]) % 2**31
    replay = replay_step(cell, step)
    return StepDiagnosis(cell, plan, replay, problems, fixed, seed).measure()


def _write(samples: Samples, cell: Cell, file: Path) -> None:
    with replacing(file) as path:
        to_frame(samples, cell.objectives).to_parquet(path, index=False)


def _evidence(cell: Cell, plan: Diagnosis, samples: Samples) -> Evidence:
    """Return the evidence on why each objective fell."""
    training = cell.study.file.training
    clipping = training.updates_per_step > 1 and training.clip != "off"
    generator = np.random.default_rng(plan.seed)
    steps = list(samples.values())
    return gather_evidence(steps, cell.objectives, generator, clipping=clipping)


def _track(
    cell: Cell,
    run_id: str,
    geometry: Mapping[str, float],
    samples: Samples,
    found: Mapping[str, Mapping[str, Any]],
) -> None:
    """Log the findings to the cell's run, by tag what was ``found`` of each objective."""
    table = cell.folder / DIAGNOSIS_TABLE
    _write(samples, cell, table)
    updates = cell.study.file.training.updates_per_step
    with CellRun.attach(tracking_uri(cell.study.layout.root), run_id) as run:
        run.log(0, geometry)
        for step, sample in samples.items():
            run.log(step * updates, step_metrics(sample, cell.objectives))
        run.artifact(table)
        texts = {tag: json.dumps(values) for tag, values in found.items()}
        run.tag(**{DIAGNOSIS_HASH: cell.diagnosis_hash, **texts})
