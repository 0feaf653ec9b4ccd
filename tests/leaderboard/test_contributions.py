"""Results to send to others, and those of several people side by side."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import pytest
from studies import make_root, write_study

from benchmark.commands import cli
from benchmark.commands.contribute import join, submit
from benchmark.commands.leaderboard import expected_cells
from benchmark.commands.publish import publish
from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.contributions import read_all, write_board
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.submission import exact_digests, read_contribution, write_submission
from benchmark.leaderboard.writing import write_leaderboard
from benchmark.study import Study, load_study

from .lab import Lab
from .test_publication import TWO_CELLS

Submit = Callable[..., Path]


@pytest.fixture(scope="module")
def published(results: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_leaderboard(Frames(results), folder, ["csv"])
    return folder


@pytest.fixture
def submitted(results: Table, published: Path, tmp_path: Path) -> Submit:
    """Submits the made-up study for a person, with what this person changed of it."""

    def make(
        by: str, table: Table = results, change: Callable[[Path], None] = lambda _: None
    ) -> Path:
        own = Path(shutil.copytree(published, tmp_path / f"published by {by}"))
        change(own)
        names = [file.name for file in own.iterdir()]
        write_submission(own, names, tmp_path / by, by=by, frames=Frames(table))
        return tmp_path / by

    return make


def altered(results: Table, by: float) -> Table:
    cells = results.cells.copy()
    cells.loc[cells.index[0], "final"] += by
    return replace(results, cells=cells)


def farther(folder: Path) -> None:
    """Put a published reward 0.01 higher."""
    cells = pandas.read_csv(folder / "cells.csv", dtype=str)
    cells.loc[0, "final"] = f"{float(cells.loc[0, 'final']) + 0.01:.6g}"
    cells.to_csv(folder / "cells.csv", index=False)


def described(**values: Any) -> Callable[[Path], None]:
    """Return what writes other values into `provenance.json`; of each cell, those of `cell`."""

    def change(folder: Path) -> None:
        record = json.loads((folder / "provenance.json").read_text())
        for cell in record["cells"].values():
            cell |= values.get("cell", {})
        record |= {key: value for key, value in values.items() if key != "cell"}
        (folder / "provenance.json").write_text(json.dumps(record))

    return change


def repetitions(*folders: Path) -> pandas.DataFrame:
    found, refused = read_all(folders)
    assert not refused
    write_board(found, folders[0].parent / "board")
    return pandas.read_csv(folders[0].parent / "board" / "repeated.csv")


def test_the_same_cells_are_compared_bit_for_bit(submitted: Submit, results: Table) -> None:
    folders = [submitted("Ada"), submitted("Bob"), submitted("Eve", altered(results, 1e-12))]
    rows = repetitions(*folders).set_index(["by", "other", "cell"])
    assert len(rows) == 3 * len(results.origins)
    assert set(rows.loc[("Ada", "Bob")]["equal"]) == {"bit for bit"}
    equal = rows.loc[("Ada", "Eve")]["equal"]
    changed = results.cells.iloc[0]
    (other,) = equal[equal == "no"].index  # six published digits do not tell
    assert other.split("/")[2] == changed["algorithm"]
    page = (folders[0].parent / "board" / "README.md").read_text()
    assert "Ada and Bob: 8 cells; 8 equal bit for bit\n" in page
    assert "Ada and Eve: 8 cells; 7 equal bit for bit; 1 not equal, by up to 0 in" in page


def test_folders_without_digests_are_equal_in_the_digits_they_have(
    submitted: Submit, tmp_path: Path
) -> None:
    submitted("Ada")
    submitted("Eve", change=farther)
    alone = repetitions(tmp_path / "Ada", tmp_path / "published by Ada")
    assert set(alone["equal"]) == {"in all digits published"}
    other = repetitions(tmp_path / "Ada", tmp_path / "published by Eve")
    assert sorted(other["equal"].unique()) == ["in all digits published", "no"]
    assert other["largest_difference"].max() == pytest.approx(0.01)


def test_cells_of_other_code_are_told_apart(submitted: Submit, tmp_path: Path) -> None:
    other = described(cell={"cell_hash": "other"})
    rows = repetitions(submitted("Ada"), submitted("Eve", change=other))
    assert not rows["same_hash"].any()
    page = (tmp_path / "board" / "README.md").read_text()
    assert "8 cells; 8 of other code or settings, so not the same" in page


def test_people_stand_side_by_side_with_what_they_ran_on(submitted: Submit, tmp_path: Path) -> None:
    there = described(
        git_commits=["beef" * 10],
        environments={"new": {"python": "3.11.7", "torch": "2.14.0"}},
        cell={"hardware": {"gpus": "1 x H100", "cpu": "Xeon", "cores": "16", "memory_gib": "128"}},
    )
    found, _ = read_all([submitted("Ada"), submitted("Eve", change=there)])
    files = write_board(found, tmp_path / "board")
    told = pandas.read_csv(tmp_path / "board" / "contributors.csv").set_index("by")
    assert told.loc["Eve", "hardware"] == "1 x H100, Xeon, 16 cores, 128 GiB"
    assert told.loc["Eve", "git_commits"] == "beef" * 10
    page = files[0].read_text()
    assert "torch 2.14.0" in page
    assert "python 3.11.7" not in page  # both have it
    board = pandas.read_csv(tmp_path / "board" / "leaderboard.csv")
    assert board.groupby("by")["algorithm"].nunique().nunique() == 1
    runs = pandas.read_csv(tmp_path / "board" / "runs.csv")
    assert runs["by"].value_counts().to_dict() == {"Ada": 8, "Eve": 8}


def test_each_folder_that_does_not_belong_is_refused_in_a_line(
    submitted: Submit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ada, other = submitted("Ada"), submitted("Eve", change=described(study="other"))
    edited, newer, half = (
        Path(shutil.copytree(ada, tmp_path / n)) for n in ("edited", "new", "half")
    )
    (edited / "cells.csv").write_text((ada / "cells.csv").read_text().replace("0.6", "0.9"))
    (newer / "provenance.json").write_text('{"schema_version": 99}')
    (half / "curves.csv").unlink()
    folders = [ada, other, edited, newer, half, ada, tmp_path / "gone"]
    words = ["join", *map(str, folders), "--to", str(tmp_path / "board")]
    monkeypatch.setattr(sys, "argv", ["crosstalk", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    expected = [
        f"error: {other}: study: expected quick, as in {ada}, got other",
        f"error: {edited}/cells.csv: expected the file that was submitted, got another: it was "
        "edited, or not copied to its end",
        f"error: {newer}/provenance.json: schema_version: expected 1 or 2, got 99: another "
        "version of Crosstalk wrote it",
        f"error: {half}/curves.csv: no such file: the submission is not whole",
        f"error: {ada}: expected each folder once, got it twice",
    ]
    assert lines[:5] == expected
    assert len(lines) == 6
    assert str(tmp_path / "gone") in lines[5]
    assert not (tmp_path / "board").exists()


def test_two_folders_of_one_person_have_names_of_their_own(submitted: Submit) -> None:
    ada = submitted("Ada")
    found, _ = read_all([ada, Path(shutil.copytree(ada, ada.parent / "again"))])
    assert [each.by for each in found] == ["Ada", "Ada (2)"]


def test_a_submission_names_no_file_outside_itself(submitted: Submit) -> None:
    ada = submitted("Ada")
    record = json.loads((ada / "submission.json").read_text())
    record["files"] = {"../x": "0"}
    (ada / "submission.json").write_text(json.dumps(record))
    with pytest.raises(CrosstalkError, match="no such file"):
        read_contribution(ada)


def test_digests_do_not_depend_on_the_order_of_rows(results: Table) -> None:
    turned = replace(results, cells=results.cells.iloc[::-1], curves=results.curves.iloc[::-1])
    assert exact_digests(Frames(turned)) == exact_digests(Frames(results))


@pytest.fixture
def study(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of two cells with a finished run each, in a project that is entered."""
    root = make_root(tmp_path)
    monkeypatch.chdir(root)
    write_study(root, **TWO_CELLS).rename(root / "workflow" / "studies" / "quick.yaml")
    study = load_study("quick", root)
    lab.expected = expected_cells(study)
    for cell, final in zip(study.cells, (0.6, 0.7), strict=True):
        lab.complete(cell.id, (final, 0.5))
    return study


def told(files: list[Path]) -> Mapping[str, str]:
    return {file.name: file.read_text() for file in files if file.suffix in (".md", ".json")}


def test_a_published_study_is_submitted_once_it_is_complete_and_verified(
    lab: Lab, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.commands.publish.changes", lambda *_: [])  # takes a second

    def refused(with_: str) -> None:
        with pytest.raises(CrosstalkError, match=with_) as caught:
            submit(study, None, "Ada", uri=lab.uri)
        assert "\n" not in str(caught.value)

    refused("nothing is published; run `crosstalk publish quick` first")
    folder = study.layout.leaderboard
    publish(study, uri=lab.uri)
    as_published = {name: (folder / name).read_text() for name in ("provenance.json", "tables.csv")}
    described(missing={study.cells[0].id: "never started"})(folder)
    refused("expected results of all cells, got 1 missing, such as .*; run and publish quick")
    (folder / "provenance.json").write_text(as_published["provenance.json"])
    (folder / "tables.csv").write_text(as_published["tables.csv"].replace("0.7", "0.8"))
    refused(r"expected the tables of the tracked runs, got others \(tables.csv: row")
    (folder / "tables.csv").write_text(as_published["tables.csv"])
    files = submit(study, None, "Ada", uri=lab.uri)
    folder = study.layout.root / "results" / "submissions" / "quick"
    assert {file.relative_to(folder).as_posix() for file in files} == {
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    }
    readme = told(files)["README.md"]
    for word in ("| by | Ada |", "torch 2.13.0", "| commit | c0ffee |", "crosstalk run quick"):
        assert word in readme
    assert read_contribution(folder).by == "Ada"
    refused("expected an empty folder or none")


def test_a_board_is_of_two_folders_at_least(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match="expected two folders or more, got 1"):
        join([tmp_path], tmp_path / "board")
