"""Each way in which a store is damaged, missing or silent, and what is said of it."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tracked import STUDY, at_once, locked, start

from benchmark.common.errors import CrosstalkError
from benchmark.tracking.reading import read_runs
from benchmark.tracking.store import connect, prepare_store


def test_processes_may_prepare_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    assert at_once(prepare_store, [(uri, STUDY)] * 3) == [0] * 3
    assert read_runs(uri, STUDY) == []
    out, err = capfd.readouterr()
    assert out == ""
    assert all(line.startswith("waiting for process") for line in err.splitlines()), err


def test_only_preparing_creates_a_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(CrosstalkError, match="there is none yet"):
        read_runs(uri, STUDY)
    with pytest.raises(CrosstalkError, match="there is none yet"):
        start(uri)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_preparation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with monkeypatch.context() as patch:
        patch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore.__init__", die)
        with pytest.raises(KeyboardInterrupt):
            prepare_store(uri, STUDY)
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]


def test_preparing_again_keeps_what_is_there(uri: str) -> None:
    start(uri)
    prepare_store(uri, STUDY)
    prepare_store(uri, "other")
    assert len(read_runs(uri, STUDY)) == 1
    assert len(read_runs(uri, "other")) == 0


def test_unknown_study_suggests_a_known_one(uri: str) -> None:
    with pytest.raises(CrosstalkError, match=r"unknown study 'quik'; did you mean 'quick'"):
        read_runs(uri, "quik")


def test_deleted_study_is_named_with_its_remedy(uri: str) -> None:
    client = connect(uri)
    client.delete_experiment(client.get_experiment_by_name(STUDY).experiment_id)
    with pytest.raises(CrosstalkError, match=r"'quick' was deleted there.*restore"):
        prepare_store(uri, STUDY)
    with pytest.raises(CrosstalkError, match="unknown study"):
        read_runs(uri, STUDY)


@pytest.mark.parametrize("action", [lambda u: prepare_store(u, STUDY), start])
def test_locked_store_is_refused_in_time(
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    action: Callable[[str], object],
) -> None:
    monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "0.2")
    began = time.monotonic()
    with locked(uri), pytest.raises(CrosstalkError, match="locked by another process") as told:
        action(uri)
    assert time.monotonic() - began < 2
    assert "\n" not in str(told.value)
    assert capfd.readouterr() == ("", "")
    assert read_runs(uri, STUDY) == []


def test_unreachable_server_is_refused_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    with pytest.raises(CrosstalkError, match="cannot be reached") as told:
        prepare_store("http://user:secret@127.0.0.1:9", STUDY)
    assert time.monotonic() - began < 2
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)
    assert capfd.readouterr() == ("", "")


def test_database_of_another_mlflow_is_refused(uri: str) -> None:
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    with pytest.raises(CrosstalkError, match=r"found schema older, MLflow .* needs"):
        prepare_store(uri, STUDY)


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("name,value\n" * 100)
    with pytest.raises(CrosstalkError, match="is not an MLflow database"):
        prepare_store(f"sqlite:///{tmp_path}/mlflow.db", STUDY)
