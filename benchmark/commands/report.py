"""``crosstalk report``: what the diagnosis of a study found, from its tracked runs alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas

from benchmark.commands.leaderboard import expected_cells, store_of
from benchmark.common.files import write_text
from benchmark.common.tables import csv_text
from benchmark.leaderboard.frames.geometry import model_table, relation_table
from benchmark.leaderboard.pages.diagnosis import diagnosis_page
from benchmark.leaderboard.pages.figures import (
    CURVES,
    best_weights,
    interference_and_geometry,
    pl_ratios,
    predicted_and_realised,
    traces,
)
from benchmark.leaderboard.results.diagnosed import (
    attribution_table,
    changes_table,
    collect_diagnoses,
    directions_table,
    law_table,
    steps_table,
    turned_table,
)
from benchmark.leaderboard.results.evidence import PLACE
from benchmark.leaderboard.results.table import Table, collect
from benchmark.study.study import Study, diagnosis_plan
from benchmark.tracking.reading import run_curves

PAGE = "diagnosis.md"


class Report(NamedTuple):
    """A report's page, and the files that were written."""

    page: str
    files: list[Path]


def build(study: Study) -> Report:
    """Write the report's page, tables and figures beside the study's tables.

    Raises:
        NotDiagnosed: No cell is.
    """
    diagnosis_plan(study)
    store = store_of([study], None)
    results = collect(store, study.name, expected_cells(study), allow_mixed=False)
    return write(study, results, store, study.layout.board)


def write(study: Study, results: Table, store: str, board: Path) -> Report:
    """Write the report on these results into a folder of tables, ``board``.

    Raises:
        NotDiagnosed: No cell is diagnosed.
    """
    hashes = {cell.id: cell.diagnosis_hash for cell in study.cells}
    found, missing = collect_diagnoses(store, results, hashes)
    diagnosed = list(found.values())
    tables = {
        "law": law_table(diagnosed),
        "changes": changes_table(diagnosed),
        "steps": steps_table(diagnosed),
        "attribution": attribution_table(found, results.cells),
    }
    tables["directions"] = directions_table(diagnosed)
    tables["turned"] = turned_table(tables["directions"])
    tables["models"] = model_table(diagnosed, results.cells)
    tables["relation"] = relation_table(tables["models"])
    page = diagnosis_page(study.name, tables, missing)
    folder = board / "diagnosis"
    for name, frame in tables.items():
        if frame.empty:  # what this study did not ask for
            (folder / f"{name}.csv").unlink(missing_ok=True)
            continue
        write_text(folder / f"{name}.csv", csv_text(frame))
    files = [
        *(folder / f"{name}.csv" for name, frame in tables.items() if not frame.empty),
        *predicted_and_realised(tables["changes"], folder),
        *best_weights(tables["steps"], folder),
        *pl_ratios(tables["steps"], folder),
        *interference_and_geometry(tables["models"], folder),
        *_traces(store, results, folder),
    ]
    write_text(board / PAGE, page)
    return Report(page, [board / PAGE, *dict.fromkeys(files)])


def _traces(uri: str, results: Table, folder: Path) -> Iterator[Path]:
    """Draw the curves of every model and objective set; yield the files."""
    names = {(cell.model, cell.objectives): cell.names for cell in results.expected.values()}
    for (model, objectives), curves in _curves(uri, results).groupby(PLACE, sort=False):
        own = names[str(model), str(objectives)]
        yield from traces(curves, own, folder, f"traces-{model}-{objectives}")


def _curves(uri: str, results: Table) -> pandas.DataFrame:
    """Return the drawn curves of every run, means over seeds."""
    cells = {origin.run_id: results.expected[cell] for cell, origin in results.origins.items()}
    curves = pandas.concat([run_curves(uri, cells, prefix) for prefix in CURVES.values()])
    for column in (*PLACE, "algorithm"):
        curves[column] = curves["run_id"].map({k: getattr(c, column) for k, c in cells.items()})
    keys = [*PLACE, "algorithm", "metric", "step"]
    return curves.groupby(keys, sort=False)["value"].mean().reset_index()
