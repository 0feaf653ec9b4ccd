"""What verifying names."""

from pathlib import Path

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.verifying import differences
from benchmark.leaderboard.writing import contents, write_leaderboard


def test_verifying_names_file_row_and_column(results: Table, tmp_path: Path) -> None:
    write_leaderboard(Frames(results), tmp_path)
    wanted = contents(Frames(results))
    assert differences(tmp_path, wanted) == []
    file = tmp_path / "leaderboard.csv"
    file.write_text(file.read_text().replace("linear,False,2,-0.125", "linear,False,2,-0.5"))
    (tmp_path / "matrix.csv").unlink()
    assert differences(tmp_path, wanted) == [
        "leaderboard.csv: row 3, column worst_gain: published '-0.5', found '-0.125'",
        "matrix.csv: missing",
    ]
