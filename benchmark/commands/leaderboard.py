"""``crosstalk leaderboard``: the tables of studies, from their tracked runs alone."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.common.paths import Layout, relative
from benchmark.leaderboard.files import FORMATS
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.cells import Choice, ExpectedCell
from benchmark.leaderboard.results.joining import join
from benchmark.leaderboard.results.table import collect
from benchmark.leaderboard.writing import write_leaderboard
from benchmark.models.tiny.recipes import mixture_name
from benchmark.study.study import Cell, Study
from benchmark.tracking.address import tracking_uri

ON_VALIDATION = (
    "Evaluated on problems of the validation split, in the place of test prompts: these are trials "
    "of settings, no results."
)


class Board(NamedTuple):
    """A leaderboard that was written: its Markdown page, its folder, what it was made from."""

    page: str
    folder: Path
    frames: Frames

    def record(self) -> dict[str, Any]:
        """Return the order of the algorithms and the missing cells as plain JSON values."""
        table = json.loads(self.frames.overall.table.to_json(orient="records"))
        results = self.frames.results
        return {
            "study": results.study,
            "folder": relative(self.folder),
            "cells": len(results.expected),
            "missing": [each._asdict() for each in results.missing],
            "leaderboard": table,
        }


def build(
    studies: Sequence[Study],
    *,
    allow_mixed: bool,
    choice: Choice | None = None,
    formats: Collection[str] = FORMATS,
    uri: str | None = None,
) -> Board:
    """Write the leaderboard of one or more studies.

    That of several studies, or of some cells alone, goes into its own folder.
    """
    frames = collect_frames(studies, allow_mixed=allow_mixed, choice=choice, uri=uri)
    folder = board_folder(studies, choice)
    page = write_leaderboard(
        frames,
        folder,
        formats,
        store=store_of(studies, uri),
        description=" ".join(filter(None, (study.file.description for study in studies))),
    )
    return Board(page, folder, frames)


def collect_frames(
    studies: Sequence[Study],
    *,
    allow_mixed: bool,
    choice: Choice | None = None,
    uri: str | None = None,
) -> Frames:
    """Return the frames of the studies' results, joined; ``choice`` keeps some cells alone."""
    chosen = choice or Choice()
    tables = [
        collect(
            store_of([study], uri),
            study.name,
            chosen.of(expected_cells(study), study.where),
            allow_mixed=allow_mixed,
            selection=str(chosen),
            lock_hashes=lock_hashes(study.layout.root),
        )
        for study in studies
    ]
    joined = join(tables, allow_mixed=allow_mixed)
    if any(study.file.evaluation.split != "test" for study in studies):
        joined = replace(joined, notes=(*joined.notes, ON_VALIDATION))
    record = studies[0].file.tuned if len(studies) == 1 else None
    return Frames(joined, None if record is None else record.model_dump(mode="json"))


def store_of(studies: Sequence[Study], uri: str | None) -> str:
    """Return the address of the tracking store: ``uri``, or else the usual one."""
    return uri or tracking_uri(studies[0].layout.root)


def lock_hashes(root: Path) -> dict[str, str]:
    """Return the digest of each lock of packages in the project, by file.

    Which of them a run was made with is told by the versions tracked with it.
    """
    locks = sorted((root / "requirements").glob("*.txt"))
    return {f"requirements/{lock.name}": sha256(lock.read_bytes()).hexdigest() for lock in locks}


def board_folder(studies: Sequence[Study], choice: Choice | None = None) -> Path:
    """Return the folder of a leaderboard: the study's, or that of several or a selection."""
    name = "+".join(study.name for study in studies)
    chosen = str(choice or "").replace(", ", ",").replace(" ", "-")
    layout = studies[0].layout
    return Layout(layout.root, f"{name},{chosen}" if chosen else name).board


def expected_cells(study: Study) -> dict[str, ExpectedCell]:
    """Return what the study says of its cells, by id."""
    return {cell.id: _expected(cell) for cell in study.cells}


def _expected(cell: Cell) -> ExpectedCell:
    scalarizer = cell.make_scalarizer()
    evaluation = cell.study.file.evaluation
    recipe = cell.study.models[cell.model].recipe
    model, seed = cell.study.models[cell.model].unit(cell.model, cell.seed)
    return ExpectedCell(
        cell_hash=cell.hash,
        model=model,
        objectives=cell.objective_set,
        algorithm=cell.algorithm.id,
        seed=seed,
        names=cell.objectives,
        weights=tuple(scalarizer.weights.tolist()),
        reference=scalarizer.reference,
        mixture="" if recipe is None else mixture_name(recipe),
        settings={f"evaluation.{k}": str(v) for k, v in evaluation.model_dump().items()},
        evaluation_only=cell.evaluation_only,
        sample=cell.model,
    )
