"""Make and write a leaderboard's files."""

import json
from collections.abc import Collection
from pathlib import Path

import pandas

from benchmark.common.files import write_text
from benchmark.common.tables import csv_text
from benchmark.leaderboard.files import (
    APART,
    DICTIONARY,
    FORMATS,
    INDEX,
    OPTIONAL,
    PAGE,
    PROVENANCE,
    TUNING,
    file_named,
)
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages import latex
from benchmark.leaderboard.pages.dictionary import data_dictionary
from benchmark.leaderboard.pages.notes import table_notes
from benchmark.leaderboard.pages.page import cost_page, page
from benchmark.leaderboard.pages.sheets import all_sheets, cost_sheet
from benchmark.leaderboard.results.origins import provenance_record
from benchmark.leaderboard.site.answers import answers_of
from benchmark.leaderboard.site.curves import curves_of
from benchmark.leaderboard.site.rendering import render


def write_leaderboard(
    frames: Frames,
    folder: Path,
    formats: Collection[str] = FORMATS,
    *,
    store: str = "",
    description: str = "",
) -> str:
    """Write a leaderboard into ``folder`` and return its Markdown page.

    All files are made before the first is written. The same tracked runs give the same bytes,
    whenever; and all but ``provenance.json``, ``index.html`` and the costs are the same however
    often a run was interrupted on its way.

    Args:
        frames: The leaderboard's frames.
        folder: Where the files of :data:`benchmark.leaderboard.files.FILES` go.
        formats: Which of them to write.
        store: The tracking store, whose curves and completions ``index.html`` shows; without it
            there is none.
        description: What the study is about, in a sentence, for ``index.html``.
    """
    files = contents(frames, {*formats, "md"}, store=store, description=description)
    for name, text in files.items():
        known = file_named(name)
        if known is None or known.format in {*formats, ""}:
            write_text(folder / name, text)
    remove_stale(folder, files, formats)
    return files[PAGE]


def remove_stale(folder: Path, files: Collection[str], formats: Collection[str] = FORMATS) -> None:
    """Remove the files that a leaderboard had before and has no longer, of these formats."""
    for name, file in OPTIONAL.items():
        if name not in files and file.format in formats:
            (folder / name).unlink(missing_ok=True)


def contents(
    frames: Frames,
    formats: Collection[str] = FORMATS,
    *,
    store: str = "",
    description: str = "",
) -> dict[str, str]:
    """Return the text of each file by its name; arguments as of :func:`write_leaderboard`."""
    files: dict[str, str] = {}
    sheets, costs = all_sheets(frames), cost_sheet(frames.costs)
    if "csv" in formats:
        tables = csv_frames(frames)
        files |= {name: csv_text(frame) for name, frame in tables.items()}
        columns = {name: list(frame.columns) for name, frame in tables.items()}
        files[DICTIONARY] = data_dictionary(columns)
    if "latex" in formats:
        files["tables.tex"] = latex.tables(sheets, table_notes(frames))
        files["cost.tex"] = latex.tables([costs], [])
        files["leaderboard.tex"] = latex.DOCUMENT
    if "md" in formats:
        files["cost.md"] = cost_page(frames.results.study, costs)
        files[PAGE] = page(frames, sheets)
    if "html" in formats and store:
        curves = curves_of(store, frames.results)
        answers = answers_of(store, frames.results)
        files[INDEX] = render(
            frames, sheets, curves, answers, description=description, tracking=store
        )
    return files | {PROVENANCE: _provenance(frames)}


def csv_frames(frames: Frames) -> dict[str, pandas.DataFrame]:
    """Return the frame that each CSV file holds, by the file's name."""
    return {
        "cells.csv": frames.results.cells,
        "tables.csv": frames.summary,
        "curves.csv": frames.results.curves,
        "matrix.csv": frames.matrices,
        "leaderboard.csv": frames.overall.table,
        "against.csv": frames.against,
        "breakdown.csv": frames.breakdown,
        "dependence.csv": frames.dependence,
        "cost.csv": frames.costs,
        **({APART: frames.apart} if len(frames.apart) else {}),
        **({TUNING: frames.tuning} if len(frames.tuning) else {}),
    }


def _provenance(frames: Frames) -> str:
    results = frames.results
    record = provenance_record(
        results.study,
        results.origins,
        dict(results.missing),
        results.lock_hashes,
        expected=results.expected,
    )
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
