"""The figure of a study's results."""

from pathlib import Path

import pandas

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.figures import changes
from benchmark.leaderboard.results.table import Table


def test_the_figure_lies_with_its_data(results: Table, tmp_path: Path) -> None:
    files = changes(Frames(results).summary, tmp_path)
    assert [file.name for file in files] == ["changes.svg", "changes.png", "changes.csv"]
    data = pandas.read_csv(files[2])
    assert len(data) == 16  # two models, four algorithms, two objectives
    row = data.query("model == 'm' and algorithm == 'linear' and objective == 'b'").iloc[0]
    assert (row["delta"], bool(row["interfered"])) == (-0.1, True)


def test_the_figure_is_the_same_whenever_it_is_made(results: Table, tmp_path: Path) -> None:
    summary = Frames(results).summary
    first, second = (changes(summary, tmp_path / name) for name in ("first", "second"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_names_with_markup_and_unknown_intervals_are_drawn(results: Table, tmp_path: Path) -> None:
    summary = Frames(results).summary.copy()
    summary["algorithm"] = summary["algorithm"].replace("linear", "_<b>$x_$")
    summary[["delta_low", "delta_high"]] = float("nan")
    assert all(file.stat().st_size for file in changes(summary, tmp_path))
