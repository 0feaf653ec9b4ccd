"""``crosstalk report``: what the diagnosis of a study found, from its tracked runs alone."""

import pandas

from benchmark.commands.leaderboard import expected_cells
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
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.reading import run_curves


def build(study: Study) -> str:
    """Write the report's page, tables and figures, and return the page."""
    diagnosis_plan(study)
    uri = tracking_uri(study.layout.root)
    results = collect(uri, study.name, expected_cells(study), allow_mixed=False)
    hashes = {cell.id: cell.diagnosis_hash for cell in study.cells}
    found, missing = collect_diagnoses(uri, results, hashes)
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
    folder = study.layout.leaderboard / "diagnosis"
    for name, frame in tables.items():
        if frame.empty:  # what this study did not ask for
            (folder / f"{name}.csv").unlink(missing_ok=True)
            continue
        write_text(folder / f"{name}.csv", csv_text(frame))
    predicted_and_realised(tables["changes"], folder)
    best_weights(tables["steps"], folder)
    pl_ratios(tables["steps"], folder)
    interference_and_geometry(tables["models"], folder)
    names = {(cell.model, cell.objectives): cell.names for cell in results.expected.values()}
    for (model, objectives), curves in _curves(uri, results).groupby(PLACE, sort=False):
        own = names[str(model), str(objectives)]
        traces(curves, own, folder, f"traces-{model}-{objectives}")
    write_text(study.layout.leaderboard / "diagnosis.md", page)
    return page


def _curves(uri: str, results: Table) -> pandas.DataFrame:
    """Return the drawn curves of every run, means over seeds."""
    cells = {origin.run_id: results.expected[cell] for cell, origin in results.origins.items()}
    curves = pandas.concat([run_curves(uri, cells, prefix) for prefix in CURVES.values()])
    for column in (*PLACE, "algorithm"):
        curves[column] = curves["run_id"].map({k: getattr(c, column) for k, c in cells.items()})
    keys = [*PLACE, "algorithm", "metric", "step"]
    return curves.groupby(keys, sort=False)["value"].mean().reset_index()
