"""Leaderboards: tracked runs -> tidy table -> files of Markdown, CSV, LaTeX and HTML."""

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.cells import Choice, ExpectedCell, Missing
from benchmark.leaderboard.results.joining import join
from benchmark.leaderboard.results.table import Table, collect
from benchmark.leaderboard.writing import FORMATS, INDEX, Render, contents, write_leaderboard

__all__ = [
    "FORMATS",
    "INDEX",
    "Choice",
    "ExpectedCell",
    "Frames",
    "Missing",
    "Render",
    "Table",
    "collect",
    "contents",
    "join",
    "write_leaderboard",
]
