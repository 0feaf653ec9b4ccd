"""A leaderboard's files."""

import json
from collections.abc import Callable, Collection
from pathlib import Path

import pandas

from benchmark.common.files import write_text
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages import dictionary, latex
from benchmark.leaderboard.pages.page import cost_page, page
from benchmark.leaderboard.pages.sheets import cost_sheet
from benchmark.leaderboard.results.origins import provenance_record
from benchmark.leaderboard.results.table import Table

FORMATS = ("md", "csv", "latex", "html")
INDEX = "index.html"
MEASURED = ("cost.md", "cost.csv", "cost.tex")  # differ when a study is run again
PROVENANCE = "provenance.json"

Render = Callable[[Frames], str]  # the page to look at, as HTML


def write_leaderboard(
    results: Table,
    folder: Path,
    render: Render | None = None,
    formats: Collection[str] = FORMATS,
) -> str:
    """Write a study's leaderboard into ``folder`` and return its Markdown page.

    * ``leaderboard.md``: the page;
    * ``leaderboard.csv``: the overall table, a row per algorithm;
    * ``breakdown.csv``: the same by model, objective set and estimator;
    * ``against.csv``: each algorithm against ``linear`` on the same seeds;
    * ``tables.csv``: a row per model, objective set, algorithm and objective, over the seeds;
    * ``matrix.csv``: what training on one objective alone did to each;
    * ``dependence.csv``: the spread of each algorithm over models;
    * ``cells.csv``: a row per run and objective;
    * ``cost.csv``, ``cost.md``, ``cost.tex``: seconds, tokens, backward passes, memory;
    * ``tables.tex``: the tables that people read, to be put into a paper; ``leaderboard.tex``: a
      document of them;
    * ``DATA.md``: what each column of the CSV files means, and its unit;
    * ``provenance.json``: run ids, versions, hardware, commits, times;
    * ``index.html``, if there is ``render``: all of it to look at,
      see :func:`benchmark.leaderboard.site.render`.

    All are made before the first is written. The same tracked runs give the same bytes, whenever;
    and all but ``provenance.json``, ``index.html`` and the costs are the same however often a run
    was interrupted on its way.

    Args:
        results: The study's results.
        folder: Where the files go.
        render: Makes the page.
        formats: Which of :data:`FORMATS` to write; ``provenance.json`` goes with each.

    Raises:
        CrosstalkError: A file cannot be written.
    """
    frames = Frames(results)
    for name, text in contents(frames, render, formats).items():
        write_text(folder / name, text)
    return page(frames)


def contents(
    frames: Frames, render: Render | None = None, formats: Collection[str] = FORMATS
) -> dict[str, str]:
    """Return the text of each file of a leaderboard, by its name."""
    results = frames.results
    record = provenance_record(
        results.study, results.origins, dict(results.missing), results.lock_hash
    )
    files: dict[str, str] = {}
    if "csv" in formats:
        tables = csv_frames(frames)
        files |= {name: _csv(frame) for name, frame in tables.items()}
        columns = {name: list(frame.columns) for name, frame in tables.items()}
        files[dictionary.FILE] = dictionary.data_dictionary(columns)
    if "latex" in formats:
        files["tables.tex"] = latex.tables(frames.sheets(), frames.notes())
        files["cost.tex"] = latex.tables([cost_sheet(frames.costs)], [])
        files["leaderboard.tex"] = latex.DOCUMENT
    if "md" in formats:
        files |= {"cost.md": cost_page(frames), "leaderboard.md": page(frames)}
    if "html" in formats and render is not None:
        files[INDEX] = render(frames)
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return files | {PROVENANCE: text}


def csv_frames(frames: Frames) -> dict[str, pandas.DataFrame]:
    """Return the frame that each CSV file holds, by the file's name."""
    return {
        "cells.csv": frames.results.cells,
        "tables.csv": frames.summary,
        "matrix.csv": frames.matrices,
        "leaderboard.csv": frames.overall.table,
        "against.csv": frames.against,
        "breakdown.csv": frames.breakdown,
        "dependence.csv": frames.dependence,
        "cost.csv": frames.costs,
    }


def _csv(frame: pandas.DataFrame) -> str:
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text
