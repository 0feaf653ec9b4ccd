"""``crosstalk leaderboard``: the tables of studies, from their tracked runs alone."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from benchmark.common.paths import Layout
from benchmark.leaderboard import (
    FORMATS,
    Choice,
    ExpectedCell,
    Frames,
    Render,
    Table,
    collect,
    join,
    write_leaderboard,
)
from benchmark.leaderboard.site import curves_of, render
from benchmark.study.study import Cell, Study
from benchmark.tracking.address import tracking_uri


def build(
    studies: Sequence[Study],
    *,
    allow_mixed: bool,
    choice: Choice | None = None,
    formats: Collection[str] = FORMATS,
    uri: str | None = None,
) -> tuple[str, Path]:
    """Write the leaderboard of one or more studies; return its Markdown page and its folder.

    That of several studies, or of some cells alone, goes into a folder of its own.

    Args:
        studies: The studies.
        allow_mixed: Whether runs of different provenance may stand side by side.
        choice: Which cells; all if not given.
        formats: Of :data:`benchmark.leaderboard.FORMATS`.
        uri: The tracking store, if it is not the usual one.

    Raises:
        CrosstalkError: No cell has a result yet, runs of different provenance would be mixed, or
            the tracking store cannot be used.
    """
    chosen = choice or Choice()
    results = tables(studies, allow_mixed=allow_mixed, choice=chosen, uri=uri)
    folder = leaderboard_folder(studies, chosen)
    return write_leaderboard(results, folder, page_maker(studies, uri), formats), folder


def page_maker(studies: Sequence[Study], uri: str | None = None) -> Render:
    """Return what makes the page of a leaderboard of these studies, with their runs' curves.

    Args:
        studies: The studies.
        uri: The tracking store, if it is not the usual one.
    """

    def make(frames: Frames) -> str:
        store = uri or tracking_uri(studies[0].layout.root)
        return render(
            frames.results,
            frames.summary,
            frames.overall,
            frames.matrices,
            curves_of(store, frames.results),
            against=frames.tested,
            description=" ".join(filter(None, (study.file.description for study in studies))),
            tracking=store,
        )

    return make


def tables(
    studies: Sequence[Study],
    *,
    allow_mixed: bool,
    choice: Choice | None = None,
    uri: str | None = None,
) -> Table:
    """Return the results of the studies, joined; arguments and errors as of :func:`build`."""
    chosen, found = choice or Choice(), []
    for study in studies:
        wanted = chosen.of(expected_cells(study), study.where)
        store = uri or tracking_uri(study.layout.root)
        results = collect(store, study.name, wanted, allow_mixed=allow_mixed)
        lock = study.layout.root / "requirements" / "cpu.txt"
        digest = sha256(lock.read_bytes()).hexdigest() if lock.is_file() else ""
        found.append(replace(results, selection=str(chosen), lock_hash=digest))
    return join(found, allow_mixed=allow_mixed)


def leaderboard_folder(studies: Sequence[Study], choice: Choice | None = None) -> Path:
    """Return the folder of a leaderboard: the study's, or one of several or a selection's own."""
    name = "+".join(study.name for study in studies)
    chosen = str(choice or "").replace(", ", ",").replace(" ", "-")
    layout = studies[0].layout
    return Layout(layout.root, f"{name},{chosen}" if chosen else name).leaderboard


def expected_cells(study: Study) -> dict[str, ExpectedCell]:
    """Return what the study says of its cells, by id."""
    return {cell.id: _expected(cell) for cell in study.cells}


def _expected(cell: Cell) -> ExpectedCell:
    scalarizer = cell.make_scalarizer()
    evaluation = cell.study.file.evaluation
    return ExpectedCell(
        cell_hash=cell.hash,
        model=cell.model,
        objectives=cell.objective_set,
        algorithm=cell.algorithm.id,
        seed=cell.seed,
        names=cell.objectives,
        weights=tuple(scalarizer.weights.tolist()),
        reference=scalarizer.reference,
        settings={f"evaluation.{k}": str(v) for k, v in evaluation.model_dump().items()},
    )
