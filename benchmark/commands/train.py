"""``crosstalk train``: train one cell, tracked, resuming from its last checkpoint."""

import json
import logging
import os
import resource
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import OutOfMemoryError
from transformers import PrinterCallback, TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from benchmark.commands.check import check_gpu, out_of_memory
from benchmark.commands.jobs import checkpoints, retracking
from benchmark.commands.jobs.conformance import check_plugin
from benchmark.commands.jobs.curves import CurveTracker
from benchmark.commands.jobs.processes import is_launched, launch
from benchmark.commands.jobs.provenance import provenance_params, provenance_tags
from benchmark.commands.jobs.records import Evaluated, Trained, diverged
from benchmark.commands.jobs.rollouts import own_server
from benchmark.commands.jobs.takeover import take_over
from benchmark.commands.jobs.trainer import make_trainer
from benchmark.commands.prepare import prepare, prepare_objectives
from benchmark.common.errors import CrosstalkError, Diverged, Faulty
from benchmark.common.files import exclusive
from benchmark.common.paths import model_folder, relative
from benchmark.models.policy.loading import parameters
from benchmark.models.warming import TRACKED, warm_up_budget
from benchmark.study.costs import disk_bytes, study_shape, trained_parameters
from benchmark.study.study import Cell
from benchmark.tracking import names
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.run import CellRun
from benchmark.tracking.scales import SCALES
from benchmark.tracking.store import announce

logger = logging.getLogger(__name__)

SPARE_BYTES = 64 * 2**20  # for logs and tracking


def train(cell: Cell) -> None:
    """Train a cell and write its record, which names the final checkpoint and the tracked run.

    Only one process trains a cell at a time: a second one waits, and finds the cell trained. A
    trained cell whose final checkpoint is gone is trained again; one whose run is not in the
    tracking store is tracked anew. A cell of a tuned study whose settings tuning left as they were
    goes on from the end of that study's cell: its curves are tracked, and no step is made.
    """
    if is_launched():
        _train_share(cell)
        return
    with exclusive(cell.folder / ".lock", f"training {cell.id}"):
        record = Trained.read(cell.folder, cell.training_hash)
        if record is not None and _stands(cell, record):
            retracking.present(cell, record)
            logger.info("%s: already trained", cell.id)
            return
        check_gpu(cell.study, cell.model)
        model = prepare(cell.study.layout.root, cell.model)
        prepare_objectives(cell.study, cell.objective_set)
        _check_disk(cell, model)
        take_over(cell)
        with own_server(cell):
            if cell.processes == 1:
                _train_tracked(cell)
            else:
                launch(cell)


def _stands(cell: Cell, record: Trained) -> bool:
    """Return whether nothing of a trained cell is missing: it is evaluated, or can be."""
    if Evaluated.read(cell.folder, cell.hash) is not None:
        return True
    try:
        checkpoints.verify(cell.folder / record.checkpoint)
    except CrosstalkError:
        return False  # training goes on from what is whole, or says what to remove
    return True


def _train_share(cell: Cell) -> None:
    """Train as one of several processes; their launcher locks the cell, the first one tracks."""
    if os.environ["RANK"] == "0":
        _train_tracked(cell)
    else:
        _train(cell, None)


def _train_tracked(cell: Cell) -> None:
    uri = tracking_uri(cell.study.layout.root)
    tags, params = _tags(cell), _params(cell)
    announce(uri, cell.study.name)
    retracking.keep(cell, tags, params)
    with CellRun.start(uri, cell.study.name, tags, params) as run:
        final = _train(cell, run)
        run.log(checkpoints.step_of(final), {names.PEAK_MEMORY: _peak_memory_mb()})
        run.end("trained")
    checkpoint = str(final.relative_to(cell.folder))
    Trained(cell.training_hash, run.run_id, checkpoint).write(cell.folder)


def _train(cell: Cell, run: CellRun | None) -> Path:
    try:
        return _train_on(cell, run)
    except OutOfMemoryError as error:
        raise CrosstalkError(out_of_memory(cell)) from error
    except Diverged as error:
        raise diverged(cell, run, error) from error
    except Faulty as error:
        raise Faulty(f"{cell.id}: {error}") from error


def _train_on(cell: Cell, run: CellRun | None) -> Path:
    check_plugin(cell)
    folder = cell.folder / "checkpoints"
    trainer, tracker = make_trainer(cell, folder), CurveTracker(cell, run)
    with trainer.accelerator.main_process_first():  # it removes incomplete checkpoints
        last = checkpoints.latest(folder, cell.training_hash)
    if last is not None and checkpoints.step_of(last) >= trainer.args.max_steps:
        # Killed after its last checkpoint: the trainer would go one step too far.
        tracker.replay(TrainerState.load_from_json(str(last / TRAINER_STATE_NAME)))
        return last
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(tracker)
    # The initial policy is validated once; its values come back with the checkpoint.
    trainer.args.eval_on_start = last is None
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    finally:
        tracker.close()
    trainer.accelerator.wait_for_everyone()  # the first process has sealed it
    final = checkpoints.latest(folder, cell.training_hash)
    if final is None:
        raise CrosstalkError(f"{relative(folder)}: training ended without a checkpoint")
    trainer.accelerator.end_training()  # closes the process group, vLLM's in this process too
    return final


def _tags(cell: Cell) -> dict[str, str]:
    return {
        names.STUDY: cell.study.name,
        names.MODEL: cell.model,
        names.ALGORITHM: cell.algorithm.id,
        names.OBJECTIVES: cell.objective_set,
        names.SEED: str(cell.seed),
        names.CELL: cell.id,
        names.CELL_HASH: cell.hash,
        **provenance_tags(cell.study.layout.root),
    }


def _params(cell: Cell) -> dict[str, str]:
    weights = cell.make_scalarizer().weights.tolist()
    scales = cell.study.calibrations(cell.objective_set)
    budget = warm_up_budget(model_folder(cell.study.layout.root, cell.model))
    return {
        **_flat(cell.specification),
        names.OBJECTIVE_NAMES: json.dumps(list(cell.objectives)),
        names.OBJECTIVE_WEIGHTS: json.dumps(weights),
        **_flat(budget, TRACKED),
        **_flat({each: own.told for each, own in scales.items()}, SCALES),
        **provenance_params(),
    }


def _flat(specification: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in specification.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _check_disk(cell: Cell, model: Path) -> None:
    shape = study_shape(cell.study, cell.model)
    trained = parameters(model) if shape is None else trained_parameters(cell, shape)
    needed = disk_bytes(cell, trained, training=True) + SPARE_BYTES
    free = shutil.disk_usage(cell.folder).free
    if free < needed:
        raise CrosstalkError(
            f"{relative(cell.folder)}: the cell's checkpoints need {needed / 2**20:.0f} MB, but "
            f"its disk has {free / 2**20:.0f} MB free"
        )


def _peak_memory_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
