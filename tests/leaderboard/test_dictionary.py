"""The data dictionary describes every column."""

from benchmark.leaderboard.files import FILES
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.dictionary import COLUMNS
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.writing import csv_frames


def test_every_column_of_every_csv_file_is_described(results: Table) -> None:
    frames = csv_frames(Frames(results))
    assert set(frames) == {name for name in FILES if name.endswith(".csv")}
    assert {column for frame in frames.values() for column in frame.columns} <= set(COLUMNS)
