"""``crosstalk leaderboard``: the tables of a study, from its tracked runs alone."""

from functools import partial

from benchmark.leaderboard import ExpectedCell, collect, write_leaderboard
from benchmark.leaderboard.site import curves_of, render
from benchmark.study import Cell, Study
from benchmark.tracking import tracking_uri


def build(study: Study, *, allow_mixed: bool) -> str:
    """Write the study's leaderboard and return its Markdown page.

    Raises:
        CrosstalkError: No cell has a result yet, runs of different environments would be mixed, or
            the tracking store cannot be used.
    """
    uri = tracking_uri(study.layout.root)
    results = collect(uri, study.name, expected_cells(study), allow_mixed=allow_mixed)
    page = partial(
        render,
        curves=curves_of(uri, results),
        description=study.file.description,
        tracking=uri,
    )
    return write_leaderboard(results, study.layout.leaderboard, page)


def expected_cells(study: Study) -> dict[str, ExpectedCell]:
    """Return what the study says of its cells, by id."""
    return {cell.id: _expected(cell) for cell in study.cells}


def _expected(cell: Cell) -> ExpectedCell:
    scalarizer = cell.make_scalarizer()
    return ExpectedCell(
        cell_hash=cell.hash,
        model=cell.model,
        objectives=cell.objective_set,
        algorithm=cell.algorithm.id,
        seed=cell.seed,
        names=cell.objectives,
        weights=tuple(scalarizer.weights.tolist()),
        reference=scalarizer.reference,
    )
