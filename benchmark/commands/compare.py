"""``crosstalk compare``: two tracked runs side by side."""

import pandas

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.files import scratch_folder
from benchmark.leaderboard.pages.comparison import comparison_page
from benchmark.study.study import Study
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.names import CELL, CELL_HASH, COMPLETE, COMPLETIONS
from benchmark.tracking.reading import download, read_run, read_runs
from benchmark.tracking.record import RunRecord


def compare(study: Study, one: str, other: str, *, uri: str | None = None) -> str:
    """Return the comparison of two runs as Markdown.

    Each is named by its id in the tracking store, or by its cell in the study, whose latest
    complete run is then taken: of the cell's present hash if there is one, else of any.
    """
    store = uri or tracking_uri(study.layout.root)
    runs = [_run(store, study, name) for name in (one, other)]
    frames = [_completions(store, run.id) for run in runs]
    both = None if frames[0] is None or frames[1] is None else (frames[0], frames[1])
    return comparison_page(runs[0], runs[1], both)


def _run(uri: str, study: Study, name: str) -> RunRecord:
    if "/" not in name:
        return read_run(uri, name)
    runs = read_runs(uri, study.name)
    mine = [run for run in runs if run.tags.get(CELL) == name]
    complete = [run for run in mine if run.status == COMPLETE]
    if not mine:
        cells = {run.tags[CELL] for run in runs if CELL in run.tags}
        raise unknown("cell", name, cells, f"tracked runs of the study {study.name!r}")
    if not complete:
        raise CrosstalkError(f"cell {name!r}: none of its {len(mine)} tracked runs is complete")
    cell = study.by_id.get(name)
    present = [run for run in complete if cell and run.tags.get(CELL_HASH) == cell.hash]
    return max(present or complete, key=lambda run: run.attempt)


def _completions(uri: str, run_id: str) -> pandas.DataFrame | None:
    """Return a run's scored completions, or None if they are gone."""
    with scratch_folder("crosstalk-compare-") as folder:
        file = download(uri, run_id, COMPLETIONS, folder)
        return None if file is None else pandas.read_parquet(file)
