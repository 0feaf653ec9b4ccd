"""Begin a cell of a tuned study where the study that was tuned ended the same cell."""

import logging
import shutil

from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.records import Trained
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import link_or_copy, replacing
from benchmark.common.paths import Layout, relative
from benchmark.study.study import Cell

logger = logging.getLogger(__name__)


def take_over(cell: Cell) -> None:
    """Give a cell the checkpoints of the same cell of the study that was tuned.

    Settings that tuning left as they were are those of a cell that is trained already: one of the
    same id and training hash, whose last checkpoint is whole. Nothing is done where there is no
    such cell, or this one has checkpoints. Files are linked: sealed checkpoints are never written
    again.
    """
    tuned, own = cell.study.file.tuned, cell.folder / "checkpoints"
    if tuned is None or own.exists():
        return
    origin = Layout(cell.study.layout.root, tuned.study).cell(cell.id)
    record = Trained.read(origin, cell.training_hash)
    if record is None:
        return
    try:
        checkpoints.verify(origin / record.checkpoint)
    except CrosstalkError:
        logger.warning("%s: %s is not whole; trained anew", cell.id, relative(origin))
        return
    with replacing(own) as new:
        shutil.copytree(origin / "checkpoints", new, copy_function=link_or_copy)
    logger.info("%s: trained as a cell of %s", cell.id, tuned.study)
