"""Leaderboards: tracked runs -> tidy table -> Markdown and CSV files."""

from benchmark.leaderboard.table import ExpectedCell, Missing, Table, collect
from benchmark.leaderboard.writing import write_leaderboard

__all__ = ["ExpectedCell", "Missing", "Table", "collect", "write_leaderboard"]
