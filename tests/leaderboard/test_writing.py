"""A leaderboard's files."""

import csv
import json
import re
from pathlib import Path

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import PACKAGE
from benchmark.leaderboard.files import FILES, INDEX
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.writing import contents, write_leaderboard
from benchmark.tracking import reading as tracked
from benchmark.tracking import sqlite as tracked_sqlite

from .lab import ENVIRONMENT, FINALS, Lab

NAMES = sorted(set(FILES) - {INDEX})  # of a leaderboard whose store is not told


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def folder(results: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboards") / "quick"
    write_leaderboard(Frames(results), folder)
    return folder


def test_rebuilding_gives_the_same_bytes(study_lab: Lab, folder: Path, tmp_path: Path) -> None:
    assert sorted(written(folder)) == NAMES
    write_leaderboard(Frames(study_lab.collect()), tmp_path)
    assert written(tmp_path) == written(folder)


def test_a_study_whose_runs_were_retried_gives_equal_tables(
    lab: Lab, folder: Path, tmp_path: Path
) -> None:
    for (model, algorithm), finals in FINALS.items():
        cell = lab.expect(model, algorithm)
        lab.start(cell).end("killed")
        lab.complete(cell, finals)
    write_leaderboard(Frames(lab.collect()), tmp_path / "again")
    for name in NAMES:
        same = (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
        assert same == (name != "provenance.json")


def test_overall_csv_has_a_row_per_algorithm(folder: Path) -> None:
    rows = read_csv(folder / "leaderboard.csv")
    assert [row["algorithm"] for row in rows] == ["ctwa", "linear", "single-a", "single-b"]
    assert (
        rows[1].items()
        >= {
            "algorithm": "linear",
            "reference": "False",
            "mean_rank": "1.75",
            "interference_rate": "0.25",
            "severity": "0.0416667",
            "runs": "2",
            "environment": "3.11.7-2.13.0",
            "interval": "prompts",
        }.items()
    )
    # of 2 models, one has one of its 2 objectives interfered with
    assert float(rows[1]["interference_rate_low"]) < 0.25 < float(rows[1]["interference_rate_high"])
    assert float(rows[1]["mean_rank_low"]) <= 1.75 <= float(rows[1]["mean_rank_high"])


def test_tables_csv_lists_the_objectives_interfered_with(folder: Path) -> None:
    rows = {
        (row["model"], row["algorithm"], row["objective"]): row
        for row in read_csv(folder / "tables.csv")
    }
    assert len(rows) == 16
    found = rows["m", "linear", "a"]
    assert (found["interfered"], found["interfered_objectives"]) == ("False", "b")
    assert (found["final"], found["delta"], found["interval"]) == ("0.6", "0.2", "prompts")


def test_no_table_holds_run_ids_or_times(results: Table, folder: Path) -> None:
    for name in set(NAMES) - {"provenance.json"}:
        text = (folder / name).read_text(encoding="utf-8")
        assert not any(origin.run_id in text for origin in results.origins.values())
        assert not any(origin.start_time[:10] in text for origin in results.origins.values())


def test_provenance_traces_every_cell(results: Table, folder: Path) -> None:
    record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    cell = "m/pair/linear/seed0"
    assert sorted(record["cells"]) == sorted(results.origins)
    assert record["cells"][cell]["run_id"] == results.origins[cell].run_id
    assert record["cells"][cell]["cell_hash"] == f"hash of {cell}"
    assert record["cells"][cell]["hardware"] == {"cpu": "abacus"}
    assert record["environments"] == {"3.11.7-2.13.0": ENVIRONMENT}
    assert (record["seeds"], record["git_commits"]) == ([0], ["c0ffee"])
    assert record["start_time"] <= record["cells"][cell]["start_time"] <= record["end_time"]


def test_page_marks_what_is_interfered_with(folder: Path) -> None:
    page = (folder / "leaderboard.md").read_text(encoding="utf-8")
    linear = next(line for line in page.splitlines() if "| linear" in line and "▼" in line)
    assert [cell.strip() for cell in linear.strip("|").split(" | ")] == [
        "linear",
        "0.600, +0.200 ± 0.020",
        "**0.500, -0.100 ± 0.020 ▼**",
        "-0.500",
        "-0.100 ± 0.020",
        "+0.050 ± 0.020",
        "+16.7",
        "20.0",
        "1",
    ]


def test_page_shows_overall_matrix_and_weights(folder: Path) -> None:
    page = (folder / "leaderboard.md").read_text(encoding="utf-8")
    assert "8 of 8 cells count." in page
    assert re.search(r"\| linear +\| +2 \| -0\.125 ± 0\.\d+ \| +gain with loss \| +2 of 2 \|", page)
    assert re.search(r"\| linear .*\| 1\.75 \(1\.\d\d–[12]\.\d\d\) +\|", page)
    assert re.search(r"\| single-a \(reference\) +\| +– \|", page)
    assert "| on a    | +0.300 ± 0.020 | -0.200 ± 0.020 |" in page
    assert "Weights: a 0.5, b 0.5." in page
    assert "one seed are over test prompts" in page
    assert "Take 5 seeds or more" in page
    assert "Missing" not in page


def test_page_names_missing_cells(lab: Lab, tmp_path: Path) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    lab.expect("m", "ctwa")
    page = write_leaderboard(Frames(lab.collect()), tmp_path / "quick")
    assert "1 of 2 cells count; the others are listed below." in page
    assert "## Missing cells\n\n- m/pair/ctwa/seed0: never started\n" in page
    record = json.loads((tmp_path / "quick" / "provenance.json").read_text(encoding="utf-8"))
    assert record["missing"] == {"m/pair/ctwa/seed0": "never started"}


def test_page_says_what_ranks_rest_on_when_cells_are_missing(lab: Lab, tmp_path: Path) -> None:
    for model, algorithm in (("m", "linear"), ("m", "ctwa"), ("n", "linear")):
        lab.complete(lab.expect(model, algorithm), (0.5, 0.7))
    page = write_leaderboard(Frames(lab.collect()), tmp_path / "quick")
    assert "Mean ranks are over the 2 of 4 objectives of models" in page


def test_names_that_look_like_markup_do_not_break_the_page(lab: Lab, tmp_path: Path) -> None:
    cell = lab.expect("m<b>", "x|`y`", names=("a_", "b"))
    lab.complete(cell, (0.5, 0.7))
    lab.expect("m<b>", "gone*")
    page = write_leaderboard(Frames(lab.collect()), tmp_path / "quick")
    assert "<b>" not in page
    assert r"| x\|\`y\` " in page
    assert "## m&lt;b&gt;, pair" in page
    assert r"- m&lt;b&gt;/pair/gone\*/seed0: never started" in page
    assert read_csv(tmp_path / "quick" / "cells.csv")[0]["algorithm"] == "x|`y`"


def test_several_seeds_are_told_as_such(lab: Lab, tmp_path: Path) -> None:
    for seed in range(5):
        lab.complete(lab.expect("m", "linear", seed=seed), (0.5 + seed / 100, 0.7))
    page = write_leaderboard(Frames(lab.collect()), tmp_path / "quick")
    assert "over the seeds (Student's)" in page
    assert "one seed" not in page
    assert "Take 5 seeds" not in page


def test_folder_that_cannot_be_written_is_one_line(results: Table, tmp_path: Path) -> None:
    (tmp_path / "quick").write_text("a file in the way")
    with pytest.raises(CrosstalkError, match="cannot be written"):
        write_leaderboard(Frames(results), tmp_path / "quick")


def test_both_ways_of_reading_a_store_agree(
    study_lab: Lab, results: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = contents(Frames(results))
    monkeypatch.setattr(tracked_sqlite, "SCHEMAS", set())
    assert contents(Frames(study_lab.collect())) == direct
    assert tracked.read_runs(study_lab.uri, "quick")


def test_attribution_is_shown_for_interfered_objectives_alone(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    run = lab.start(cell)
    lab.log(run, cell, (0.6, 0.5))
    run.tag(attribution=json.dumps({"a": "clipping", "b": "weights 80%"}))
    run.end("complete")
    text = contents(Frames(lab.collect()))["leaderboard.md"]
    assert "b: weights 80%" in text
    assert "clipping" not in text


def test_every_file_is_told_in_the_documents() -> None:
    text = (PACKAGE.parent / "docs" / "leaderboards.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in FILES)
