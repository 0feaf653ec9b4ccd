"""A project that was moved: its runs' files are found and written where it lies now."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache
from tracked import STUDY, start

from benchmark.tracking.artifacts import beside
from benchmark.tracking.reading import download
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import connect, prepare_store


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A project's results, with umlauts and a space, where a run has stored a file."""
    home = tmp_path / "the first häuschen"
    home.mkdir()
    shutil.copy(template, home / "mlflow.db")
    uri = f"sqlite:///{home}/mlflow.db"
    CellRun.attach(uri, start(uri).run_id).end("trained")  # settles the copied store here
    return home


def stored(home: Path, text: str) -> str:
    """Store a file with a new run, and return the run's id."""
    (home / "scores.csv").write_text(text)
    run = start(f"sqlite:///{home}/mlflow.db")
    run.artifact(home / "scores.csv")
    return run.run_id


@pytest.mark.parametrize("old_place", ["gone", "still there"])
def test_files_of_a_moved_project_lie_in_it(home: Path, tmp_path: Path, old_place: str) -> None:
    run_id = stored(home, "before")
    moved = tmp_path / "moved"
    shutil.copytree(home, moved)
    if old_place == "gone":
        shutil.rmtree(home)
    before = sorted(home.rglob("*"))
    uri = f"sqlite:///{moved}/mlflow.db"
    found = download(uri, run_id, "scores.csv", tmp_path / "found")
    assert found is not None
    assert found.read_text() == "before"
    _artifact_repos_cache.clear()  # a process that starts in the new place has none
    (moved / "more.csv").write_text("after")
    CellRun.attach(uri, run_id).artifact(moved / "more.csv")
    new = stored(moved, "new")
    assert {path.name for path in (moved / "artifacts" / STUDY / run_id).rglob("*.csv")} == {
        "scores.csv",
        "more.csv",
    }
    assert (moved / "artifacts" / STUDY / new / "artifacts" / "scores.csv").read_text() == "new"
    assert sorted(home.rglob("*")) == before
    listed = connect(uri).list_artifacts(run_id)  # as MLflow's own page does
    assert [file.path for file in listed] == ["more.csv", "scores.csv"]


@pytest.mark.parametrize("settled", [True, False])
def test_a_run_that_names_the_first_place_is_stored_here(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    run_id = stored(home, "before")
    first = tmp_path / "first" / "artifacts" / STUDY
    uri = f"sqlite:///{home}/mlflow.db"
    with sqlite3.connect(home / "mlflow.db") as connection:  # its experiment names this place
        place = f"{first.as_uri()}/{run_id}/artifacts"
        connection.execute("UPDATE runs SET artifact_uri = ?", (place,))
    if not settled:
        monkeypatch.setattr("benchmark.tracking.run.settle", lambda _: None)
    _artifact_repos_cache.clear()
    (home / "more.csv").write_text("after")
    CellRun.attach(uri, run_id).artifact(home / "more.csv")
    assert (home / "artifacts" / STUDY / run_id / "artifacts" / "more.csv").is_file()
    assert not (tmp_path / "first").exists()
    if settled:  # MLflow's own page finds it, too
        assert [f.path for f in connect(uri).list_artifacts(run_id)] == ["more.csv", "scores.csv"]


def test_a_file_that_is_gone_is_none(home: Path, tmp_path: Path) -> None:
    run_id = stored(home, "x")
    assert download(f"sqlite:///{home}/mlflow.db", run_id, "other.csv", tmp_path / "f") is None


def test_a_place_of_a_users_own_stays(uri: str, tmp_path: Path) -> None:
    client, mine = connect(uri), (tmp_path / "mine" / "place").as_uri()
    client.create_experiment("own", artifact_location=mine)
    prepare_store(uri, "own")
    assert client.get_experiment_by_name("own").artifact_location == mine
    CellRun.start(uri, "own", {"cell": "c", "cell_hash": "h"}, {})
    assert client.get_experiment_by_name("own").artifact_location == mine
    assert beside(uri, f"{mine}/0123/artifacts") is None
    assert beside("http://server:5000", "mlflow-artifacts:/1/2/artifacts") is None
