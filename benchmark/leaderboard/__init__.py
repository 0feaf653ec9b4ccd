"""Leaderboards: tracked runs -> tidy table -> files of Markdown, CSV, LaTeX and HTML."""

from benchmark.leaderboard.expected import Choice, ExpectedCell, Missing
from benchmark.leaderboard.frames import Frames
from benchmark.leaderboard.joining import join
from benchmark.leaderboard.table import Table, collect
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
