"""Each way in which an MLflow store loses or blurs runs, and what tracking makes of it."""

import math
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.common.termination import Terminated, terminable
from benchmark.tracking import reading as tracked
from benchmark.tracking import run as tracking
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.reading import run_curves, tracked_runs
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import MlflowClient, connect, prepare_store

ROOT = Path(__file__).resolve().parents[2]
FORK = multiprocessing.get_context("fork")  # spares a child the import of MLflow
CELL = {"cell": "tiny/math3/ctwa/seed0", "cell_hash": "abc"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store; making one takes a second, copying it nothing."""
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    prepare_store(f"sqlite:///{database}", "quick")
    return database


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    shutil.copy(template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


def start(uri: str, **tags: str) -> CellRun:
    return CellRun.start(uri, "quick", CELL | tags, {"training.steps": "60"})


def only_run(uri: str) -> dict[str, object]:
    frame = tracked_runs(uri, "quick")
    assert len(frame) == 1
    return frame.iloc[0].to_dict()


def at_once(job: Callable[..., None], calls: list[tuple[object, ...]]) -> list[int | None]:
    """Make each call in a process of its own, all at once; return the exit statuses."""
    processes = [FORK.Process(target=job, args=arguments) for arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    return [process.exitcode for process in processes]


def write_curves(uri: str, seed: int) -> None:
    tags = {"cell": f"m/o/a/seed{seed}", "cell_hash": "h"}
    with CellRun.start(uri, "quick", tags, {"seed": str(seed)}) as run:
        for step in range(120):
            run.log(step, {f"curve/{j}": step + j for j in range(10)})


@contextmanager
def locked(uri: str) -> Iterator[None]:
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


class TestStore:
    def test_address_is_the_environments_or_sqlite_below_the_root(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert tracking_uri(Path("/data/x")) == "sqlite:////data/x/results/mlflow.db"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracking.example")
        assert tracking_uri(Path("/data/x")) == "https://tracking.example"

    def test_processes_that_prepare_at_once_all_succeed(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        uri = f"sqlite:///{tmp_path}/new/mlflow.db"
        assert at_once(prepare_store, [(uri, "quick")] * 3) == [0] * 3
        assert tracked_runs(uri, "quick").empty
        out, err = capfd.readouterr()
        assert out == ""
        assert all(line.startswith("waiting for process") for line in err.splitlines()), err

    def test_only_preparing_creates_a_store(self, tmp_path: Path) -> None:
        uri = f"sqlite:///{tmp_path}/mlflow.db"
        with pytest.raises(CrosstalkError, match="there is none yet"):
            tracked_runs(uri, "quick")
        with pytest.raises(CrosstalkError, match="there is none yet"):
            start(uri)
        assert list(tmp_path.iterdir()) == []

    def test_interrupted_preparation_leaves_nothing_half_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object) -> None:
            raise KeyboardInterrupt

        uri = f"sqlite:///{tmp_path}/mlflow.db"
        with monkeypatch.context() as patch:
            patch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore.__init__", die)
            with pytest.raises(KeyboardInterrupt):
                prepare_store(uri, "quick")
        assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]

    def test_preparing_again_keeps_what_is_there(self, uri: str) -> None:
        start(uri)
        prepare_store(uri, "quick")
        prepare_store(uri, "other")
        assert len(tracked_runs(uri, "quick")) == 1
        assert len(tracked_runs(uri, "other")) == 0

    def test_unknown_study_suggests_a_known_one(self, uri: str) -> None:
        with pytest.raises(CrosstalkError, match=r"unknown study 'quik'; did you mean 'quick'"):
            tracked_runs(uri, "quik")

    def test_deleted_study_is_named_with_the_way_back(self, uri: str) -> None:
        client = connect(uri)
        client.delete_experiment(client.get_experiment_by_name("quick").experiment_id)
        with pytest.raises(CrosstalkError, match=r"'quick' was deleted there.*restore"):
            prepare_store(uri, "quick")
        with pytest.raises(CrosstalkError, match="unknown study"):
            tracked_runs(uri, "quick")

    @pytest.mark.parametrize("action", [lambda u: prepare_store(u, "quick"), start])
    def test_locked_store_is_one_line_within_the_timeout(
        self,
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
        assert tracked_runs(uri, "quick").empty

    def test_unreachable_server_is_one_line_at_once(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        began = time.monotonic()
        with pytest.raises(CrosstalkError, match="cannot be reached") as told:
            prepare_store("http://user:secret@127.0.0.1:9", "quick")
        assert time.monotonic() - began < 2
        assert "\n" not in str(told.value)
        assert "secret" not in str(told.value)
        assert capfd.readouterr() == ("", "")

    def test_database_of_another_mlflow_is_refused_and_left_alone(self, uri: str) -> None:
        with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'older'")
        with pytest.raises(CrosstalkError, match=r"found schema older, MLflow .* needs"):
            prepare_store(uri, "quick")

    def test_file_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_text("name,value\n" * 100)
        with pytest.raises(CrosstalkError, match="is not an MLflow database"):
            prepare_store(f"sqlite:///{tmp_path}/mlflow.db", "quick")

    def test_timeout_that_is_no_number_is_refused(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "soon")
        with pytest.raises(CrosstalkError, match="CROSSTALK_STORE_TIMEOUT: found 'soon'"):
            tracked_runs(uri, "quick")


class TestWriting:
    def test_parallel_writers_lose_nothing(self, uri: str) -> None:
        assert at_once(write_curves, [(uri, k) for k in range(4)]) == [0] * 4
        frame = tracked_runs(uri, "quick")
        assert sorted(frame["tags.status"]) == ["trained"] * 4
        curves = run_curves(uri, frame["run_id"], "curve/")
        assert len(curves) == 4 * 120 * 10
        assert (curves["value"] == curves["step"] + curves["metric"].str[-1].astype(int)).all()

    def test_values_are_buffered_until_a_batch_is_full(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracking, "BATCH", 4)
        run = start(uri)
        run.log(1, {"a": 1.0, "b": 2.0})
        assert run_curves(uri, [run.run_id], "").empty
        run.log(2, {"a": 3.0, "b": 4.0})
        assert list(run_curves(uri, [run.run_id], "")["value"]) == [1, 3, 2, 4]

    def test_values_are_flushed_when_the_interval_has_passed(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracking, "INTERVAL", 0.0)
        run = start(uri)
        run.log(1, {"a": 1.0})
        assert list(run_curves(uri, [run.run_id], "")["value"]) == [1]

    def test_a_step_logged_again_counts_once_with_the_later_value(self, uri: str) -> None:
        run = start(uri)
        run.log(1, {"a": 1.0})
        run.flush()
        time.sleep(0.002)
        run.log(1, {"a": 5.0})
        run.log(2, {"a": 2.0})
        run.flush()
        curves = run_curves(uri, [run.run_id], "a")
        assert curves[["step", "value"]].to_numpy().tolist() == [[1, 5], [2, 2]]

    def test_infinity_becomes_nan_and_is_told_as_divergence(self, uri: str) -> None:
        run = start(uri)
        run.log(7, {"loss": -math.inf, "score": math.nan, "fine": 1.0})
        run.flush()
        row = only_run(uri)
        assert math.isnan(row["metrics.loss"])
        assert math.isnan(row["metrics.score"])
        assert row["metrics.fine"] == 1.0
        assert row["metrics.diverged"] == 1.0

    def test_nan_alone_is_kept_without_divergence(self, uri: str) -> None:
        run = start(uri)
        run.log(7, {"score": math.nan})
        run.flush()
        row = only_run(uri)
        assert math.isnan(row["metrics.score"])
        assert "metrics.diverged" not in row

    @pytest.mark.parametrize("name", ["lambda[0]", "/root", "a/../b", "a//b", "", "x" * 251])
    def test_metric_names_that_mlflow_refuses_are_refused_at_once(
        self, uri: str, name: str
    ) -> None:
        run = start(uri)
        with pytest.raises(CrosstalkError, match=r"metric .*allowed are"):
            run.log(1, {name: 1.0})
        run.log(1, {"train/reward/accuracy λ": 1.0})
        run.flush()
        assert only_run(uri)["metrics.train/reward/accuracy λ"] == 1.0

    def test_long_parameters_and_tags_are_refused_rather_than_cut(self, uri: str) -> None:
        with pytest.raises(CrosstalkError, match="parameter 'p': found 6001 characters"):
            CellRun.start(uri, "quick", CELL, {"p": "x" * 6001})
        with pytest.raises(CrosstalkError, match="tag 'note': found 9000 characters"):
            start(uri, note="x" * 9000)
        assert tracked_runs(uri, "quick").empty
        CellRun.start(uri, "quick", CELL, {"p": "x" * 6000})
        assert only_run(uri)["params.p"] == "x" * 6000

    def test_store_locked_during_training_raises_and_loses_nothing(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "0.2")
        run = start(uri)
        run.log(1, {"a": 1.0})
        with locked(uri), pytest.raises(CrosstalkError, match="locked by another process"):
            run.flush()
        run.end("trained")
        assert only_run(uri)["metrics.a"] == 1.0

    def test_server_lost_during_training_raises_and_keeps_the_points(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        uri = "http://127.0.0.1:9"
        run = CellRun(MlflowClient(uri), uri, "0" * 32, open_run=True)
        run.log(1, {"a": 1.0})
        for _ in range(2):
            with pytest.raises(CrosstalkError, match="cannot be reached"):
                run.flush()

    def test_lost_store_does_not_hide_the_error_that_ended_the_run(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "0.2")
        run = start(uri)
        with locked(uri), pytest.raises(ZeroDivisionError) as raised, run:
            print(1 / 0)
        assert "locked by another process" in raised.value.__notes__[0]

    def test_writing_points_twice_leaves_one_of_each(self, uri: str) -> None:
        run = start(uri)
        run.log(1, {"a": 1.0})
        points = list(run._points)
        run.flush()
        run._points = points
        run.flush()
        assert len(connect(uri).get_metric_history(run.run_id, "a")) == 1

    def test_artifacts_are_kept_beside_the_store(self, uri: str, tmp_path: Path) -> None:
        (tmp_path / "scores.csv").write_text("a,b\n")
        run = start(uri)
        run.artifact(tmp_path / "scores.csv", "evaluation")
        stored = connect(uri).list_artifacts(run.run_id, "evaluation")
        assert [item.path for item in stored] == ["evaluation/scores.csv"]


class TestAttempts:
    def test_new_attempt_supersedes_the_earlier_ones(self, uri: str) -> None:
        first, second, third = (start(uri) for _ in range(3))
        frame = tracked_runs(uri, "quick").set_index("run_id")
        assert dict(frame["tags.status"]) == {
            first.run_id: "superseded",
            second.run_id: "superseded",
            third.run_id: "running",
        }
        assert frame.loc[first.run_id, "tags.superseded_by"] == second.run_id
        assert frame.loc[second.run_id, "tags.superseded_by"] == third.run_id
        assert list(frame["mlflow_status"]) == ["KILLED", "KILLED", "RUNNING"]
        assert list(frame["tags.attempt"]) == ["1", "2", "3"]

    def test_other_cells_and_other_code_are_not_superseded(self, uri: str) -> None:
        older = start(uri, cell_hash="older")
        older.end("complete")
        start(uri, cell="tiny/math3/linear/seed0").end("complete")
        start(uri)
        assert list(tracked_runs(uri, "quick")["tags.status"]) == [
            "complete",
            "complete",
            "running",
        ]

    def test_dead_run_of_older_code_ends_as_killed(self, uri: str) -> None:
        start(uri, cell_hash="older")
        start(uri)
        frame = tracked_runs(uri, "quick")
        assert list(frame["mlflow_status"]) == ["KILLED", "RUNNING"]
        assert list(frame["tags.status"]) == ["killed", "running"]

    def test_running_run_of_another_host_is_not_ended(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("socket.gethostname", lambda: "elsewhere")
            start(uri)
        start(uri)
        assert list(tracked_runs(uri, "quick")["mlflow_status"]) == ["RUNNING", "RUNNING"]

    def test_superseded_run_stays_superseded_when_its_orphan_ends_it(self, uri: str) -> None:
        orphan = start(uri)
        start(uri)
        orphan.end("complete")
        assert list(tracked_runs(uri, "quick")["tags.status"]) == ["superseded", "running"]


class TestEnding:
    def test_block_that_ends_well_ends_the_run_as_trained(self, uri: str) -> None:
        with start(uri) as run:
            run.log(1, {"a": 1.0})
        row = only_run(uri)
        assert (row["tags.status"], row["mlflow_status"]) == ("trained", "FINISHED")
        assert row["metrics.a"] == 1.0

    @pytest.mark.parametrize(
        ("error", "status", "mlflow_status"),
        [
            (ValueError("nan in the loss"), "failed", "FAILED"),
            (SystemExit(3), "failed", "FAILED"),
            (KeyboardInterrupt(), "killed", "KILLED"),
            (Terminated(), "killed", "KILLED"),
        ],
    )
    def test_exception_ends_the_run_as_what_it_was(
        self, uri: str, error: BaseException, status: str, mlflow_status: str
    ) -> None:
        run = start(uri)
        run.log(1, {"a": 1.0})
        with pytest.raises(type(error)), run:
            raise error
        row = only_run(uri)
        assert (row["tags.status"], row["mlflow_status"]) == (status, mlflow_status)
        assert row["metrics.a"] == 1.0

    def test_interruption_while_starting_ends_the_run(
        self, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise Terminated

        monkeypatch.setattr(CellRun, "_supersede", interrupt)
        with pytest.raises(Terminated):
            start(uri)
        assert only_run(uri)["mlflow_status"] == "KILLED"

    def test_evaluation_completes_a_run_whose_training_ended(self, uri: str) -> None:
        trained = start(uri)
        trained.end("trained")
        with CellRun.attach(uri, trained.run_id) as run:
            assert only_run(uri)["mlflow_status"] == "FINISHED"
            run.log(60, {"test/accuracy": 0.5})
            run.tag(note="first")
            run.tag(note="second")
            run.end("complete")
            run.end("complete")
        row = only_run(uri)
        assert (row["tags.status"], row["mlflow_status"]) == ("complete", "FINISHED")
        assert (row["metrics.test/accuracy"], row["tags.note"]) == (0.5, "second")

    def test_failed_evaluation_is_told_and_can_be_tried_again(self, uri: str) -> None:
        trained = start(uri)
        trained.end("trained")
        with pytest.raises(ValueError), CellRun.attach(uri, trained.run_id):
            raise ValueError("no checkpoint")
        assert only_run(uri)["tags.status"] == "failed"
        CellRun.attach(uri, trained.run_id).end("complete")
        assert only_run(uri)["tags.status"] == "complete"

    @pytest.mark.parametrize("deleted", [True, False])
    def test_attaching_to_a_run_that_is_gone_is_refused(self, uri: str, deleted: bool) -> None:
        run_id = start(uri).run_id if deleted else "0" * 32
        if deleted:
            connect(uri).delete_run(run_id)
        with pytest.raises(CrosstalkError, match=run_id):
            CellRun.attach(uri, run_id)

    def test_sigterm_ends_the_run_as_killed_with_exit_status_143(
        self, uri: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        process = training_process(uri)
        process.terminate()
        process.join(timeout=30)
        assert process.exitcode == 143
        row = only_run(uri)
        assert (row["tags.status"], row["mlflow_status"]) == ("killed", "KILLED")
        assert row["metrics.a"] == 1.0
        assert capfd.readouterr() == ("", "")

    def test_run_left_open_by_sigkill_is_ended_by_the_next_attempt(self, uri: str) -> None:
        process = training_process(uri)
        process.kill()
        process.join(timeout=30)
        assert only_run(uri)["mlflow_status"] == "RUNNING"
        start(uri)
        frame = tracked_runs(uri, "quick")
        assert list(frame["mlflow_status"]) == ["KILLED", "RUNNING"]
        assert list(frame["tags.status"]) == ["superseded", "running"]

    def test_handler_is_restored_after_the_block(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with terminable():
            assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGTERM) is before

    def test_second_sigterm_does_not_cut_the_closing_short(self) -> None:
        closed = []

        @contextmanager
        def closing() -> Iterator[None]:
            try:
                yield
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                closed.append(True)

        with pytest.raises(Terminated) as ended, terminable(), closing():
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 143
        assert closed == [True]


class TestReading:
    def test_deleted_runs_are_left_out(self, uri: str) -> None:
        run = start(uri)
        connect(uri).delete_run(run.run_id)
        assert tracked_runs(uri, "quick").empty

    def test_runs_beyond_a_page_are_read(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracked, "PAGE", 2)
        for seed in range(5):
            start(uri, cell=f"m/o/a/seed{seed}")
        assert len(set(tracked_runs(uri, "quick")["run_id"])) == 5

    def test_final_metrics_are_those_of_the_largest_step(self, uri: str) -> None:
        run = start(uri)
        run.log(5, {"a": 5.0})
        run.log(3, {"a": 3.0})
        run.flush()
        row = only_run(uri)
        assert row["metrics.a"] == 5.0
        assert row["params.training.steps"] == "60"
        assert row["start_time"].tzname() == "UTC"
        assert not [name for name in row if name.startswith("tags.mlflow")]

    def test_mlflow_is_quiet_and_sends_nothing(self) -> None:
        code = (
            "import benchmark.tracking, mlflow.telemetry.client\n"
            "print(mlflow.telemetry.client.get_telemetry_client())"
        )
        clean = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=clean | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.stdout, done.stderr) == ("None\n", "")


def training_process(uri: str) -> ForkProcess:
    """Start a process that is in the middle of a tracked training once this returns."""
    began = FORK.Event()

    def train() -> None:
        with terminable(), start(uri) as run:
            run.log(1, {"a": 1.0})
            began.set()
            time.sleep(60)

    process = FORK.Process(target=train)
    process.start()
    assert began.wait(timeout=30)
    return process
