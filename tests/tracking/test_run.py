"""Writing runs: nothing is lost or blurred, and a run's end says how it ended."""

import math
import time
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracked import (
    CELL,
    FORK,
    STUDY,
    at_once,
    locked,
    mlflow_statuses,
    only_run,
    start,
    statuses,
)

from benchmark.common.errors import CrosstalkError
from benchmark.common.termination import Terminated, terminable
from benchmark.tracking import run as tracking
from benchmark.tracking.reading import read_runs, run_curves
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import connect


def write_curves(uri: str, seed: int) -> None:
    tags = {"cell": f"m/o/a/seed{seed}", "cell_hash": "h"}
    with CellRun.start(uri, STUDY, tags, {"seed": str(seed)}) as run:
        for step in range(120):
            run.log(step, {f"curve/{j}": step + j for j in range(10)})


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


# --- writing ---


def test_parallel_writers_lose_nothing(uri: str) -> None:
    assert at_once(write_curves, [(uri, k) for k in range(4)]) == [0] * 4
    assert statuses(uri) == ["trained"] * 4
    curves = run_curves(uri, [run.id for run in read_runs(uri, STUDY)], "curve/")
    assert len(curves) == 4 * 120 * 10
    assert (curves["value"] == curves["step"] + curves["metric"].str[-1].astype(int)).all()


def test_values_are_buffered_up_to_a_batch(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "BATCH", 4)
    run = start(uri)
    run.log(1, {"a": 1.0, "b": 2.0})
    assert run_curves(uri, [run.run_id], "").empty
    run.log(2, {"a": 3.0, "b": 4.0})
    assert list(run_curves(uri, [run.run_id], "")["value"]) == [1, 3, 2, 4]


def test_values_are_flushed_after_an_interval(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "INTERVAL", 0.0)
    run = start(uri)
    run.log(1, {"a": 1.0})
    assert list(run_curves(uri, [run.run_id], "")["value"]) == [1]


def test_a_step_logged_again_has_the_later_value(uri: str) -> None:
    run = start(uri)
    run.log(1, {"a": 1.0})
    run.flush()
    time.sleep(0.002)
    run.log(1, {"a": 5.0})
    run.log(2, {"a": 2.0})
    run.flush()
    curves = run_curves(uri, [run.run_id], "a")
    assert curves[["step", "value"]].to_numpy().tolist() == [[1, 5], [2, 2]]


def clock(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Set this process's clock forward by some days, or back."""
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + days * 86_400)


def test_a_clock_set_back_keeps_the_later_value(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(uri) as trained:
        trained.log(60, {"test/a": 0.9, "train/b": 1.0})
    clock(monkeypatch, days=-3)
    for value in (0.1, 0.2):
        with CellRun.attach(uri, trained.run_id) as run:
            run.log(60, {"test/a": value})
    assert only_run(uri).metrics == {"test/a": 0.2, "train/b": 1.0}
    assert list(run_curves(uri, [trained.run_id], "test/")["value"]) == [0.2]


def test_an_evaluation_counts_at_its_end_only(uri: str) -> None:
    with start(uri) as run:
        run.end("complete")
        run.tag(diverged="before", attribution="{}", diagnosis_hash="old")
        run.evaluate_as(CELL["cell"], "new", "new")
        found = only_run(uri)
        assert (found.status, found.tags["cell_hash"]) == ("trained", "new")
        assert not {"diverged", "attribution"} & found.tags.keys()
        run.end("complete")
    assert only_run(uri).status == "complete"


def test_a_present_cause_outlives_an_evaluation(uri: str) -> None:
    run = start(uri)
    run.tag(attribution="{}", diagnosis_hash="same")
    run.evaluate_as(CELL["cell"], "new", "same")
    assert only_run(uri).tags["attribution"] == "{}"


def test_one_run_of_a_hash_is_left_to_count(uri: str) -> None:
    first = start(uri, cell_hash="a")
    first.end("complete")
    second = start(uri, cell_hash="b")
    second.evaluate_as(CELL["cell"], "a", "")
    second.end("complete")
    assert statuses(uri) == ["superseded", "complete"]
    first.evaluate_as(CELL["cell"], "a", "")
    first.end("complete")
    assert statuses(uri) == ["superseded", "complete"]


def test_attempts_are_counted_over_all_hashes(uri: str) -> None:
    for each in ("a", "b", "a"):
        start(uri, cell_hash=each).end("complete")
    assert [run.attempt for run in read_runs(uri, STUDY)] == [1, 2, 3]


def test_infinity_becomes_nan_and_divergence(uri: str) -> None:
    run = start(uri)
    run.log(7, {"loss": -math.inf, "score": math.nan, "fine": 1.0})
    run.flush()
    row = only_run(uri)
    assert math.isnan(row.metrics["loss"])
    assert math.isnan(row.metrics["score"])
    assert row.metrics["fine"] == 1.0
    assert row.metrics["diverged"] == 1.0


def test_nan_alone_is_no_divergence(uri: str) -> None:
    run = start(uri)
    run.log(7, {"score": math.nan})
    run.flush()
    row = only_run(uri)
    assert math.isnan(row.metrics["score"])
    assert "diverged" not in row.metrics


@pytest.mark.parametrize("name", ["lambda[0]", "/root", "a/../b", "a//b", "", "x" * 251])
def test_bad_metric_names_are_refused_at_once(uri: str, name: str) -> None:
    run = start(uri)
    with pytest.raises(CrosstalkError, match=r"metric .*expected up to 250"):
        run.log(1, {name: 1.0})
    run.log(1, {"train/reward/accuracy λ": 1.0})
    run.flush()
    assert only_run(uri).metrics["train/reward/accuracy λ"] == 1.0


def test_long_values_are_refused_and_not_cut(uri: str) -> None:
    with pytest.raises(CrosstalkError, match=r"parameter 'p': .* got 6001"):
        CellRun.start(uri, STUDY, CELL, {"p": "x" * 6001})
    with pytest.raises(CrosstalkError, match=r"tag 'note': .* got 9000"):
        start(uri, note="x" * 9000)
    assert read_runs(uri, STUDY) == []
    CellRun.start(uri, STUDY, CELL, {"p": "x" * 6000})
    assert only_run(uri).params["p"] == "x" * 6000


def test_a_locked_store_loses_nothing(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "0.2")
    run = start(uri)
    run.log(1, {"a": 1.0})
    with locked(uri), pytest.raises(CrosstalkError, match="locked by another process"):
        run.flush()
    run.end("trained")
    assert only_run(uri).metrics["a"] == 1.0


def test_a_lost_server_leaves_points_buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = "http://127.0.0.1:9"
    run = CellRun(MlflowClient(uri), uri, "0" * 32, open_run=True)
    run.log(1, {"a": 1.0})
    for _ in range(2):
        with pytest.raises(CrosstalkError, match="cannot be reached"):
            run.flush()


def test_a_lost_store_hides_no_other_error(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "0.2")
    run = start(uri)
    with locked(uri), pytest.raises(ZeroDivisionError) as raised, run:
        print(1 / 0)
    assert "locked by another process" in raised.value.__notes__[0]


def test_points_written_twice_are_kept_once(uri: str) -> None:
    run = start(uri)
    run.log(1, {"a": 1.0})
    points = list(run._points)
    run.flush()
    run._points = points
    run.flush()
    assert len(connect(uri).get_metric_history(run.run_id, "a")) == 1


def test_artifacts_are_stored(uri: str, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("a,b\n")
    run = start(uri)
    run.artifact(tmp_path / "scores.csv", "evaluation")
    stored = connect(uri).list_artifacts(run.run_id, "evaluation")
    assert [item.path for item in stored] == ["evaluation/scores.csv"]


# --- attempts ---


def test_new_attempt_supersedes_earlier_ones(uri: str) -> None:
    ids = [start(uri).run_id for _ in range(3)]
    runs = read_runs(uri, STUDY)
    assert [run.id for run in runs] == ids
    assert [run.status for run in runs] == ["superseded", "superseded", "running"]
    assert [run.tags.get("superseded_by") for run in runs] == [*ids[1:], None]
    assert [run.mlflow_status for run in runs] == ["KILLED", "KILLED", "RUNNING"]
    assert [run.tags["attempt"] for run in runs] == ["1", "2", "3"]


def test_other_cells_and_code_are_not_superseded(uri: str) -> None:
    older = start(uri, cell_hash="older")
    older.end("complete")
    start(uri, cell="tiny/math3/linear/seed0").end("complete")
    start(uri)
    assert statuses(uri) == [
        "complete",
        "complete",
        "running",
    ]


def test_dead_run_of_older_code_ends_as_killed(uri: str) -> None:
    start(uri, cell_hash="older")
    start(uri)
    assert mlflow_statuses(uri) == ["KILLED", "RUNNING"]
    assert statuses(uri) == ["killed", "running"]


def test_a_run_of_another_host_is_not_ended(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "elsewhere")
        start(uri)
    start(uri)
    assert mlflow_statuses(uri) == ["RUNNING", "RUNNING"]


def test_an_orphan_stays_superseded_at_its_end(uri: str) -> None:
    orphan = start(uri)
    start(uri)
    orphan.end("complete")
    assert statuses(uri) == ["superseded", "running"]


# --- ends ---


def test_a_block_that_ends_well_is_trained(uri: str) -> None:
    with start(uri) as run:
        run.log(1, {"a": 1.0})
    row = only_run(uri)
    assert (row.status, row.mlflow_status) == ("trained", "FINISHED")
    assert row.metrics["a"] == 1.0


@pytest.mark.parametrize(
    ("error", "status", "mlflow_status"),
    [
        (ValueError("nan in the loss"), "failed", "FAILED"),
        (SystemExit(3), "failed", "FAILED"),
        (KeyboardInterrupt(), "killed", "KILLED"),
        (Terminated(), "killed", "KILLED"),
    ],
)
def test_an_exception_decides_the_status(
    uri: str, error: BaseException, status: str, mlflow_status: str
) -> None:
    run = start(uri)
    run.log(1, {"a": 1.0})
    with pytest.raises(type(error)), run:
        raise error
    row = only_run(uri)
    assert (row.status, row.mlflow_status) == (status, mlflow_status)
    assert row.metrics["a"] == 1.0


def test_interruption_while_starting_ends_the_run(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise Terminated

    monkeypatch.setattr(CellRun, "_supersede", interrupt)
    with pytest.raises(Terminated):
        start(uri)
    assert only_run(uri).mlflow_status == "KILLED"


def test_evaluation_completes_a_trained_run(uri: str) -> None:
    trained = start(uri)
    trained.end("trained")
    with CellRun.attach(uri, trained.run_id) as run:
        assert only_run(uri).mlflow_status == "FINISHED"
        run.log(60, {"test/accuracy": 0.5})
        run.tag(note="first")
        run.tag(note="second")
        run.end("complete")
        run.end("complete")
    row = only_run(uri)
    assert (row.status, row.mlflow_status) == ("complete", "FINISHED")
    assert (row.metrics["test/accuracy"], row.tags["note"]) == (0.5, "second")


def test_a_failed_evaluation_can_be_repeated(uri: str) -> None:
    trained = start(uri)
    trained.end("trained")
    with pytest.raises(ValueError), CellRun.attach(uri, trained.run_id):
        raise ValueError("no checkpoint")
    assert only_run(uri).status == "failed"
    CellRun.attach(uri, trained.run_id).end("complete")
    assert only_run(uri).status == "complete"


@pytest.mark.parametrize("deleted", [True, False])
def test_attaching_to_a_missing_run_is_refused(uri: str, deleted: bool) -> None:
    run_id = start(uri).run_id if deleted else "0" * 32
    if deleted:
        connect(uri).delete_run(run_id)
    with pytest.raises(CrosstalkError, match=run_id):
        CellRun.attach(uri, run_id)


def test_sigterm_ends_the_run_as_killed(uri: str, capfd: pytest.CaptureFixture[str]) -> None:
    process = training_process(uri)
    process.terminate()
    process.join(timeout=30)
    assert process.exitcode == 143
    row = only_run(uri)
    assert (row.status, row.mlflow_status) == ("killed", "KILLED")
    assert row.metrics["a"] == 1.0
    assert capfd.readouterr() == ("", "")


def test_the_next_attempt_ends_a_killed_run(uri: str) -> None:
    process = training_process(uri)
    process.kill()
    process.join(timeout=30)
    assert only_run(uri).mlflow_status == "RUNNING"
    start(uri)
    assert mlflow_statuses(uri) == ["KILLED", "RUNNING"]
    assert statuses(uri) == ["superseded", "running"]
