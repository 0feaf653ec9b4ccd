"""Leaderboards: tracked runs -> tidy table -> Markdown, CSV and LaTeX files."""

from benchmark.leaderboard.expected import Choice, ExpectedCell, Missing
from benchmark.leaderboard.frames import Frames
from benchmark.leaderboard.joining import join
from benchmark.leaderboard.table import Table, collect
from benchmark.leaderboard.writing import FORMATS, contents, write_leaderboard

__all__ = [
    "FORMATS",
    "Choice",
    "ExpectedCell",
    "Frames",
    "Missing",
    "Table",
    "collect",
    "contents",
    "join",
    "write_leaderboard",
]
