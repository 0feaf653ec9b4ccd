"""Read tracked runs back: through MLflow's API, or directly from an SQLite store."""

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Run, ViewType
from mlflow.exceptions import MlflowException

from benchmark.tracking import sqlite
from benchmark.tracking.address import sqlite_file
from benchmark.tracking.artifacts import beside
from benchmark.tracking.record import KINDS, Kind, RunRecord, Wanted, everything
from benchmark.tracking.sqlite import Series, Total
from benchmark.tracking.store import connect, experiment_id, open_database, speaking_to

PAGE = 1000  # runs a request; the store's limit is 50,000, its default 1,000
RESOURCE_DOES_NOT_EXIST = "RESOURCE_DOES_NOT_EXIST"  # MLflow's code of an error
REQUESTS = 8  # for curves, at a time, of a server


def read_runs(uri: str, study: str, wanted: Wanted = everything) -> list[RunRecord]:
    """Return every run of a study that was not deleted, oldest first.

    Memory is taken only for the tags, parameters and metrics that are ``wanted``.
    """
    client = connect(uri)
    with speaking_to(uri):
        experiment = experiment_id(client, uri, study)
        with _directly(uri) as database:
            if database is not None:
                return sqlite.read_runs(database, experiment, wanted)
        return [_record(run, wanted) for run in search(client, experiment)]


def studies(uri: str) -> list[str]:
    """Return the names of the studies that a store holds."""
    client = connect(uri)
    with speaking_to(uri):
        return sorted(e.name for e in client.search_experiments() if e.name != "Default")


def read_series(uri: str, wanted: Mapping[str, Sequence[str]]) -> Iterator[Series]:
    """Yield the wanted metrics of each run, by its id; a metric without a point is left out.

    Steps ascend; a step that was logged again counts once, with the value logged last.
    """
    client = connect(uri)
    with speaking_to(uri), _directly(uri) as database:
        if database is not None:
            yield from sqlite.read_series(database, wanted)
            return
        pairs = [(run_id, name) for run_id, names in wanted.items() for name in names]
        workers = 1 if sqlite_file(uri) else REQUESTS
        with ThreadPoolExecutor(workers) as pool:
            for series in pool.map(partial(_series, client), pairs):
                if series[2]:
                    yield series


def read_totals(uri: str, wanted: Mapping[str, Sequence[str]]) -> Iterator[Total]:
    """Yield the sum over steps of the wanted metrics of each run, of values as in a series."""
    connect(uri)
    with speaking_to(uri), _directly(uri) as database:
        if database is not None:
            yield from sqlite.read_totals(database, wanted)
            return
    for run_id, name, _, values in read_series(uri, wanted):
        yield run_id, name, math.fsum(values)


def run_curves(
    uri: str, run_ids: Iterable[str], metrics_prefix: str | tuple[str, ...]
) -> pandas.DataFrame:
    """Return the curves of metrics with this prefix: ``run_id``, ``metric``, ``step``, ``value``.

    A step that was logged again counts once, with the value logged last. Rows are sorted by run
    (in the order given), metric and step.
    """
    client = connect(uri)
    with speaking_to(uri):
        names = {
            run_id: sorted(
                name
                for name in client.get_run(run_id).data.metrics
                if name.startswith(metrics_prefix)
            )
            for run_id in run_ids
        }
    rows = [
        (run_id, name, step, value)
        for run_id, name, steps, values in read_series(uri, names)
        for step, value in zip(steps, values, strict=True)
    ]
    return pandas.DataFrame(rows, columns=["run_id", "metric", "step", "value"])


def read_run(uri: str, run_id: str) -> RunRecord:
    """Return one run."""
    client = connect(uri)
    with speaking_to(uri):
        return _record(client.get_run(run_id), everything)


def holds_run(uri: str, run_id: str) -> bool:
    """Return whether the store knows a run, deleted or not."""
    client = connect(uri)
    with speaking_to(uri):
        try:
            client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == RESOURCE_DOES_NOT_EXIST:
                return False
            raise
    return True


def download(uri: str, run_id: str, artifact: str, folder: Path) -> Path | None:
    """Copy a file stored with a run into ``folder``, which is created; None if it is gone."""
    client = connect(uri)
    folder.mkdir(parents=True, exist_ok=True)
    with speaking_to(uri):
        kept = beside(uri, client.get_run(run_id).info.artifact_uri or "")
        if kept is not None:
            file = kept / artifact
            return Path(shutil.copy(file, folder)) if file.is_file() else None
        if artifact not in {file.path for file in client.list_artifacts(run_id)}:
            return None
        return Path(client.download_artifacts(run_id, artifact, str(folder)))


def search(client: MlflowClient, experiment: str, condition: str = "") -> Iterator[Run]:
    """Yield the experiment's runs that meet the condition and were not deleted, oldest first."""
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            condition,
            ViewType.ACTIVE_ONLY,
            max_results=PAGE,
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def _directly(uri: str) -> Iterator[Any]:
    """Yield a connection to the database of an SQLite store whose schema is known, else None."""
    file = sqlite_file(uri)
    connection = None if file is None else open_database(file)
    try:
        yield connection if connection and sqlite.fits(connection) else None
    finally:
        if connection is not None:
            connection.close()


def _record(run: Run, wanted: Wanted) -> RunRecord:
    def kept(kind: Kind) -> dict[str, Any]:
        found: Mapping[str, Any] = getattr(run.data, kind)
        return {name: value for name, value in found.items() if wanted(kind, name)}

    info = run.info
    return RunRecord(
        info.run_id, info.status, info.start_time, info.end_time, *(kept(kind) for kind in KINDS)
    )


def _series(client: MlflowClient, wanted: tuple[str, str]) -> Series:
    run_id, name = wanted
    points = sorted(client.get_metric_history(run_id, name), key=_order)
    latest = {point.step: point.value for point in points}
    return run_id, name, list(latest), list(latest.values())


def _order(point: Metric) -> tuple[int, int, bool, float]:
    """Sort points by step; of one step, the one logged last comes last."""
    missing = math.isnan(point.value)
    return point.step, point.timestamp, not missing, 0.0 if missing else point.value
