"""Track cells anew whose runs the tracking store has lost, from the files that they keep.

A lost store costs no training: the last checkpoint holds the curves, ``tracked.json`` the tags and
parameters of the run as they were, the records what was evaluated. Peak memory and the time of day
are lost. A diagnosis is tracked by its own command, from the measurements that it kept.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.initial import keep_initial
from benchmark.commands.jobs.records import Diagnosed, Evaluated, Trained
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import exclusive, write_text
from benchmark.common.paths import relative
from benchmark.common.settings import read_json
from benchmark.study.study import Cell, Study
from benchmark.tracking import names
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.reading import holds_run, read_runs
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import announce

logger = logging.getLogger(__name__)

KEPT = "tracked.json"  # the tags and parameters that a cell's run started with


def keep(cell: Cell, tags: Mapping[str, str], params: Mapping[str, str]) -> None:
    """Write down what a cell's run starts with."""
    write_text(cell.folder / KEPT, json.dumps({"tags": tags, "params": params}, indent=1) + "\n")


def restore(study: Study) -> None:
    """Track every trained cell of the study anew whose run the store does not hold.

    Runs that were evaluated before runs kept answers of the initial policy get them.
    """
    claimed = [(cell, run_id) for cell in study.cells if (run_id := _claim(cell)) is not None]
    if not claimed:
        return
    uri = tracking_uri(study.layout.root)
    known = {run.id for run in read_runs(uri, study.name, lambda kind, name: False)}
    for cell, run_id in claimed:
        if run_id not in known:
            with exclusive(cell.folder / ".lock", f"tracking {cell.id} anew"):
                record = Trained.read(cell.folder, cell.training_hash)
                if record is not None:
                    present(cell, record)
        elif _lacks_initial(cell):
            with CellRun.attach(uri, run_id) as run:
                keep_initial(cell, run)


def _lacks_initial(cell: Cell) -> bool:
    evaluated = Evaluated.read(cell.folder, cell.hash) is not None
    return evaluated and not (cell.folder / INITIAL).is_file()


def present(cell: Cell, record: Trained) -> Trained:
    """Return the record of a trained cell whose run is in the store: tracked anew if it was lost.

    The caller holds the cell's lock.

    Raises:
        CrosstalkError: What the cell keeps is not whole.
    """
    uri = tracking_uri(cell.study.layout.root)
    if holds_run(uri, record.run_id):
        return record
    checkpoint = cell.folder / record.checkpoint
    kept = _kept(cell)
    evaluated = Evaluated.read(cell.folder, cell.hash)
    table = cell.folder / names.COMPLETIONS
    announce(uri, cell.study.name)
    tags = kept["tags"] | {names.CELL_HASH: cell.hash}
    with CellRun.start(uri, cell.study.name, tags, kept["params"]) as run:
        for step, points in _curves(checkpoint):
            run.log(step, points)
        if evaluated is not None and table.is_file():
            run.log(checkpoints.step_of(checkpoint), evaluated.metrics)
            run.artifact(table)
            keep_initial(cell, run)
            run.end("complete")
    _rewrite(cell.folder, Trained, replace(record, run_id=run.run_id))
    if evaluated is not None:
        _rewrite(cell.folder, Evaluated, replace(evaluated, run_id=run.run_id))
    (cell.folder / Diagnosed.FILE).unlink(missing_ok=True)
    logger.warning("%s: its run was lost from the tracking store; tracked anew", cell.id)
    return replace(record, run_id=run.run_id)


def _claim(cell: Cell) -> str | None:
    """Return the run that a cell's record names, whatever its hash; None if there is none."""
    try:
        return str(read_json(cell.folder / Trained.FILE)["run_id"])
    except (CrosstalkError, KeyError):
        return None


def _kept(cell: Cell) -> dict[str, dict[str, str]]:
    try:
        found = read_json(cell.folder / KEPT)
        return {"tags": dict(found["tags"]), "params": dict(found["params"])}
    except (CrosstalkError, KeyError, TypeError, ValueError) as error:
        raise CrosstalkError(
            f"{cell.id}: its run is not in the tracking store, and {relative(cell.folder / KEPT)} "
            f"cannot be read; remove {relative(cell.folder / Trained.FILE)}, and `crosstalk train "
            f"{cell.study.name} {cell.id}` tracks it from its last checkpoint"
        ) from error


def _curves(checkpoint: Path) -> list[tuple[int, dict[str, float]]]:
    """Return what the trainer logged up to a checkpoint, as it is tracked, by step."""
    from benchmark.commands.jobs.curves import curve_points

    checkpoints.verify(checkpoint)
    rows: list[dict[str, Any]] = read_json(checkpoint / "trainer_state.json")["log_history"]
    return [(int(row["step"]), curve_points(row)) for row in rows]


def _rewrite(
    folder: Path, kind: type[Trained] | type[Evaluated], record: Trained | Evaluated
) -> None:
    """Write a record whose content is new and whose result is not: the file keeps its time."""
    found = (folder / kind.FILE).stat()
    record.write(folder)
    os.utime(folder / kind.FILE, ns=(found.st_atime_ns, found.st_mtime_ns))
