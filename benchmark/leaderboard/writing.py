"""A leaderboard's files."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas

from benchmark.files import write_text
from benchmark.leaderboard.origins import provenance_record
from benchmark.leaderboard.overall import Overall, compare, interference_matrices
from benchmark.leaderboard.page import page
from benchmark.leaderboard.summary import summarise
from benchmark.leaderboard.table import Table

# (results, summary, overall, matrices) -> the page as HTML
Render = Callable[[Table, pandas.DataFrame, Overall, pandas.DataFrame], str]


def write_leaderboard(results: Table, folder: Path, render: Render | None = None) -> str:
    """Write a study's leaderboard into ``folder`` and return its Markdown page.

    * ``leaderboard.md``: the page;
    * ``leaderboard.csv``: the overall table, a row per algorithm;
    * ``tables.csv``: a row per model, objective set, algorithm and objective, over the seeds;
    * ``matrix.csv``: what training on one objective alone did to each;
    * ``cells.csv``: a row per run and objective;
    * ``provenance.json``: run ids, versions, hardware, commits, times;
    * ``index.html``, if there is ``render``: all of it to look at,
      see :func:`benchmark.leaderboard.site.render`.

    The same tracked runs give the same bytes, whenever; and all but ``provenance.json`` and
    ``index.html`` are the same however often a run was interrupted on its way.

    Raises:
        CrosstalkError: A file cannot be written.
    """
    summary, overall = summarise(results.cells), compare(results.cells)
    matrices = interference_matrices(results.cells)
    text = page(results, summary, overall, matrices)
    record = provenance_record(results.study, results.origins, dict(results.missing))
    write_text(folder / "cells.csv", _csv(results.cells))
    write_text(folder / "tables.csv", _csv(summary))
    write_text(folder / "matrix.csv", _csv(matrices))
    write_text(folder / "leaderboard.csv", _csv(overall.table))
    write_text(
        folder / "provenance.json",
        json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
    )
    if render is not None:
        write_text(folder / "index.html", render(results, summary, overall, matrices))
    write_text(folder / "leaderboard.md", text)
    return text


def _csv(frame: pandas.DataFrame) -> str:
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text
