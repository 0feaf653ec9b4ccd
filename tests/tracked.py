"""Tracked runs as the tests see them: one table of a study's runs, and a store of made-up ones."""

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas

from benchmark.tracking.reading import read_runs
from benchmark.tracking.record import KINDS, RunRecord
from benchmark.tracking.run import CellRun

FORK = multiprocessing.get_context("fork")  # spares a child the import of MLflow
STUDY = "quick"
CELL = {"cell": "tiny/math3/ctwa/seed0", "cell_hash": "abc"}


def tracked_runs(uri: str, study: str) -> pandas.DataFrame:
    """Return a row per run, oldest first: ``run_id``, ``mlflow_status``, ``tags.<name>``, …."""
    rows = [
        {"run_id": run.id, "mlflow_status": run.mlflow_status}
        | {f"{kind}.{name}": v for kind in KINDS for name, v in getattr(run, kind).items()}
        for run in read_runs(uri, study)
    ]
    return pandas.DataFrame(rows, columns=None if rows else ["run_id", "mlflow_status"])


def start(uri: str, **tags: str) -> CellRun:
    """Start a made-up run of one cell."""
    return CellRun.start(uri, STUDY, CELL | tags, {"training.steps": "60"})


def only_run(uri: str) -> RunRecord:
    (run,) = read_runs(uri, STUDY)
    return run


def statuses(uri: str) -> list[str]:
    return [run.status for run in read_runs(uri, STUDY)]


def mlflow_statuses(uri: str) -> list[str]:
    return [run.mlflow_status for run in read_runs(uri, STUDY)]


@contextmanager
def locked(uri: str) -> Iterator[None]:
    """Keep the store locked, as another process does that writes to it."""
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


def at_once(job: Callable[..., None], calls: list[tuple[object, ...]]) -> list[int | None]:
    """Make each call in a process of its own, all at once; return the exit statuses."""
    processes = [FORK.Process(target=job, args=arguments) for arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    return [process.exitcode for process in processes]
