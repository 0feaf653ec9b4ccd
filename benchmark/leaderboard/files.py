"""The files of a leaderboard: their names, the format each belongs to, and what each holds."""

from collections.abc import Mapping
from typing import NamedTuple

FORMATS = ("md", "csv", "latex", "html")
INDEX = "index.html"
PAGE = "leaderboard.md"
DICTIONARY = "DATA.md"
PROVENANCE = "provenance.json"
APART = "evaluation_only.csv"
TUNING = "tuning.csv"


class File(NamedTuple):
    """A file of a leaderboard; one without a format goes with each of :data:`FORMATS`."""

    format: str
    holds: str


FILES: Mapping[str, File] = {
    INDEX: File("html", "everything to look at: tables, charts, runs"),
    PAGE: File("md", "all tables but the costs"),
    "leaderboard.csv": File("csv", "a row per algorithm, over all models and objective sets"),
    "against.csv": File("csv", "each algorithm against `linear` on the same seeds"),
    "breakdown.csv": File("csv", "the same by model, by objective set and by estimator"),
    "tables.csv": File(
        "csv", "a row per model, objective set, algorithm and objective, over the seeds"
    ),
    "cells.csv": File("csv", "a row per run and objective"),
    "curves.csv": File("csv", "a row per run, objective and validation along training"),
    "matrix.csv": File("csv", "what training on one objective alone did to each"),
    "dependence.csv": File("csv", "the spread of each algorithm over models"),
    "cost.csv": File(
        "csv", "what training a cell cost, a row per model, objective set and algorithm"
    ),
    "cost.md": File("md", "the costs: seconds, tokens, backward passes, memory"),
    "cost.tex": File("latex", "the costs as a LaTeX table"),
    "tables.tex": File("latex", "all tables but the costs, to be put into a paper"),
    "leaderboard.tex": File("latex", "a document of the LaTeX tables"),
    DICTIONARY: File("csv", "the meaning and the unit of each column of the CSV files"),
    PROVENANCE: File("", "run ids, seeds, commits, versions, locks, hardware, times"),
}
OPTIONAL: Mapping[str, File] = {  # of leaderboards that have something to put into them
    APART: File(
        "csv",
        "objectives that nothing is trained on, a row per model, objective set and algorithm",
    ),
    TUNING: File("csv", "the settings that were tried before, a row per algorithm and trial"),
}


def file_named(name: str) -> File | None:
    """Return what is known of a file, None if it is none of a leaderboard."""
    return FILES.get(name) or OPTIONAL.get(name)
