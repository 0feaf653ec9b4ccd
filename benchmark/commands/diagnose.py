"""``crosstalk diagnose``: put the covariance law to the test on a trained cell, from checkpoints.

At each step that the study names the training step is made again (``jobs.replay``)
and its policies, before, after, and at other multiples of the step, answer held-out prompts
(:mod:`benchmark.commands.jobs.step`). Nothing here runs beside training, or changes what it
leaves. A diagnosis that was interrupted goes on with the step it was at.
"""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.commands.baseline import read_baseline
from benchmark.commands.jobs.records import Diagnosed, Trained
from benchmark.commands.jobs.replay import checkpoint_at, replay_step
from benchmark.commands.jobs.step import StepDiagnosis
from benchmark.commands.prepare import prepare_objectives
from benchmark.commands.probe import read_probe
from benchmark.common.files import exclusive, replacing
from benchmark.diagnosis.attribution import per_objective
from benchmark.diagnosis.law import StepSample
from benchmark.diagnosis.samples import from_frame, gather_evidence, step_metrics, to_frame
from benchmark.study.cells import Cell
from benchmark.study.schema import Diagnosis
from benchmark.study.study import diagnosis_plan
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.run import CellRun

logger = logging.getLogger(__name__)

TABLE = "diagnosis.parquet"
ATTRIBUTION = "attribution"  # the tag that says why each objective fell


def diagnose(cell: Cell) -> None:
    """Diagnose a trained cell, log what is found to its tracked run, and write its record.

    Raises:
        CrosstalkError: The study asks for no diagnosis, the cell is not trained, it has no
            checkpoint at one of the steps, the initial policy is not evaluated or not probed, an
            objective fails or the tracking store cannot be used.
    """
    plan = diagnosis_plan(cell.study)
    with exclusive(cell.folder / ".lock", f"diagnosing {cell.id}"):
        record = Trained.of(cell)
        geometry = _geometry(cell, plan)
        for step in plan.steps:
            if step > 0:
                checkpoint_at(cell, step)
        samples = {step: _sample(cell, plan, step) for step in plan.steps}
        training = cell.study.file.training
        generator = np.random.default_rng(plan.seed)
        clipping = training.updates_per_step > 1 and training.clip != "off"
        evidence = gather_evidence(
            list(samples.values()), cell.objectives, generator, clipping=clipping
        )
        why = per_objective(evidence, cell.objectives)
        table = cell.folder / TABLE
        with replacing(table) as path:
            to_frame(samples, cell.objectives).to_parquet(path, index=False)
        uri = tracking_uri(cell.study.layout.root)
        with CellRun.attach(uri, record.run_id) as run:
            run.log(0, geometry)
            for step, sample in samples.items():
                run.log(step * training.updates_per_step, step_metrics(sample, cell.objectives))
            run.artifact(table)
            run.tag(diagnosis_hash=cell.diagnosis_hash, **{ATTRIBUTION: json.dumps(why)})
        Diagnosed(cell.diagnosis_hash, record.run_id, why).write(cell.folder)


def _geometry(cell: Cell, plan: Diagnosis) -> dict[str, float]:
    """Return what is known of the initial policy's geometry: nothing if the study does not ask."""
    return read_probe(cell.study, cell.model, cell.objective_set) if plan.probe else {}


def _sample(cell: Cell, plan: Diagnosis, step: int) -> StepSample:
    """Return what is measured at a step, from an earlier attempt if that came so far."""
    kept = _kept(cell, step)
    if not kept.is_file():
        prepare_objectives(cell.study, cell.objective_set)
        tokens = read_baseline(cell.study, cell.model, cell.objective_set).tokens
        objectives = cell.study.make_objectives(cell.objective_set)
        problems = cell.study.task.split("validation", plan.prompts + plan.max_prompts)
        fixed = [objective.for_evaluation(tokens) for objective in objectives]
        seed = int(np.random.SeedSequence([plan.seed, step]).generate_state(1)[0]) % 2**31
        replay = replay_step(cell, step)
        sample = StepDiagnosis(cell, plan, replay, problems, fixed, seed).measure()
        with replacing(kept) as path:
            to_frame({step: sample}, cell.objectives).to_parquet(path, index=False)
        logger.info("%s: step %d diagnosed", cell.id, step)
    return from_frame(pd.read_parquet(kept), cell.objectives)[step]


def _kept(cell: Cell, step: int) -> Path:
    return cell.folder / "diagnosis" / f"{cell.diagnosis_hash}-step{step}.parquet"
