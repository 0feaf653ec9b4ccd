"""Learn from a tracking store alone which cells a study has: those with a complete run."""

import json
from collections.abc import Callable

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.tracking import names
from benchmark.tracking.reading import read_runs
from benchmark.tracking.record import RunRecord

SCALARIZER = f"{names.ALGORITHM_SETTINGS}scalarizer"


def stored_cells(
    uri: str, study: str, is_reference: Callable[[str], bool]
) -> dict[str, ExpectedCell]:
    """Return the cells that a study's complete runs were made of, by id.

    Of a cell's runs the latest attempt counts, whatever code made it: without the study's file
    nobody can say which is the present one.

    Args:
        uri: The tracking store.
        study: The study's name.
        is_reference: Says whether a scalarizer of that name trains one objective alone.
    """
    complete = [run for run in read_runs(uri, study) if run.status == names.COMPLETE]
    latest = {run.tags[names.CELL]: run for run in sorted(complete, key=lambda r: r.attempt)}
    if not latest:
        raise CrosstalkError(f"study {study!r}: none of its tracked runs is complete")
    return {cell: _told_by(run, is_reference) for cell, run in latest.items()}


def _told_by(run: RunRecord, is_reference: Callable[[str], bool]) -> ExpectedCell:
    try:
        objectives = tuple(json.loads(run.params[names.OBJECTIVE_NAMES]))
        weights = tuple(json.loads(run.params[names.OBJECTIVE_WEIGHTS]))
        reference = is_reference(run.params[SCALARIZER])
    except (KeyError, ValueError) as error:
        raise CrosstalkError(
            f"run {run.id}: expected the parameters {names.OBJECTIVE_NAMES}, "
            f"{names.OBJECTIVE_WEIGHTS} and {SCALARIZER}, got {sorted(run.params)}"
        ) from error
    return ExpectedCell(
        cell_hash=run.tags[names.CELL_HASH],
        model=run.tags[names.MODEL],
        objectives=run.tags[names.OBJECTIVES],
        algorithm=run.tags[names.ALGORITHM],
        seed=int(run.tags[names.SEED]),
        names=objectives,
        weights=weights,
        reference=reference,
    )
