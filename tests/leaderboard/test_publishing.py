"""LaTeX, joined studies, choices, attribution, the data dictionary, and what verifying names."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.files import FILES
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.dictionary import COLUMNS
from benchmark.leaderboard.pages.latex import escape
from benchmark.leaderboard.results.cells import Choice
from benchmark.leaderboard.results.joining import join
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.verifying import differences
from benchmark.leaderboard.writing import contents, csv_frames, write_leaderboard
from benchmark.tracking import reading as tracked
from benchmark.tracking import sqlite as tracked_sqlite

from .lab import Lab


def test_both_ways_of_reading_a_store_agree(
    study_lab: Lab, results: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = contents(Frames(results))
    monkeypatch.setattr(tracked_sqlite, "SCHEMAS", set())
    assert contents(Frames(study_lab.collect())) == direct
    assert tracked.read_runs(study_lab.uri, "quick")


def test_every_column_of_every_csv_file_is_described(results: Table) -> None:
    frames = csv_frames(Frames(results))
    assert set(frames) == {name for name in FILES if name.endswith(".csv")}
    assert {column for frame in frames.values() for column in frame.columns} <= set(COLUMNS)


def test_specials_of_latex_are_escaped() -> None:
    assert escape(r"a_b & 5% $x$ \cmd{}") == (r"a\_b \& 5\% \$x\$ \textbackslash{}cmd\{\}")
    assert escape("模") == "[U+6A21]"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_tables_compile_whatever_a_name_holds(lab: Lab, tmp_path: Path) -> None:
    for algorithm in (r"x_&%$#{}~^\|<b>--模é", "linear"):
        lab.complete(lab.expect("m_1", algorithm), (0.5, 0.7))
    write_leaderboard(Frames(lab.collect()), tmp_path)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "leaderboard.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]


def test_verifying_names_file_row_and_column(results: Table, tmp_path: Path) -> None:
    write_leaderboard(Frames(results), tmp_path)
    wanted = contents(Frames(results))
    assert differences(tmp_path, wanted) == []
    file = tmp_path / "leaderboard.csv"
    file.write_text(file.read_text().replace("linear,False,1.75", "linear,False,1.25"))
    (tmp_path / "matrix.csv").unlink()
    assert differences(tmp_path, wanted) == [
        "leaderboard.csv: row 3, column mean_rank: published '1.25', found '1.75'",
        "matrix.csv: missing",
    ]


def test_choice_keeps_cells_and_suggests_names(study_lab: Lab) -> None:
    chosen = Choice(algorithm=["linear"]).of(study_lab.expected, "quick.yaml")
    assert {cell.algorithm for cell in chosen.values()} == {"linear"}
    with pytest.raises(CrosstalkError, match="unknown algorithm 'linaer'; did you mean 'linear'"):
        Choice(algorithm=["linaer"]).of(study_lab.expected, "quick.yaml")


def test_attribution_is_shown_for_interfered_objectives_alone(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    run = lab.start(cell)
    lab.log(run, cell, (0.6, 0.5))
    run.tag(attribution=json.dumps({"a": "clipping", "b": "weights 80%"}))
    run.end("complete")
    text = contents(Frames(lab.collect()))["leaderboard.md"]
    assert "b: weights 80%" in text
    assert "clipping" not in text


def test_a_cell_in_two_studies_counts_once(results: Table) -> None:
    joined = join([results, replace(results, study="other")], allow_mixed=False)
    assert len(joined.cells) == len(results.cells)
    assert joined.notes == (
        "8 cells of the study other are in a study before it too, and count once.",
    )


def test_another_budget_is_refused_with_its_values_or_labelled(results: Table) -> None:
    def with_steps(study: str, steps: str) -> Table:
        origins = {n: replace(o, settings={"steps": steps}) for n, o in results.origins.items()}
        return replace(results, study=study, origins=origins)

    pair = [with_steps("short", "10"), with_steps("long", "60")]
    with pytest.raises(CrosstalkError, match=r"steps 10 \(8 runs\), 60 \(8 runs\)"):
        join(pair, allow_mixed=False)
    joined = join(pair, allow_mixed=True)
    assert set(joined.cells["objectives"]) == {"pair (short)", "pair (long)"}
    assert "Mixed runs: steps 10" in contents(Frames(joined))["leaderboard.md"]
