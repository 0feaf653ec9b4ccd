"""Reading tracked runs back, as data frames."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas

from benchmark.errors import CrosstalkError
from benchmark.store import (
    Metric,
    MlflowClient,
    Run,
    ViewType,
    connect,
    experiment_id,
    speaking_to,
)
from benchmark.store_address import shown

PAGE = 1000  # runs a request; the store's limit is 50,000, its default 1,000
COLUMNS = ["run_id", "mlflow_status", "start_time", "end_time"]


def tracked_runs(uri: str, study: str) -> pandas.DataFrame:
    """Return a row for every run of a study that was not deleted, oldest first.

    Columns: ``run_id``; ``mlflow_status``; ``start_time`` and ``end_time`` (UTC, no end: NaT); and,
    each if any run has it, ``tags.<name>`` and ``params.<name>`` (text) and ``metrics.<name>`` (the
    value at the largest step, the latest of several there).

    Raises:
        CrosstalkError: The store cannot be used or has no such study.
    """
    client = connect(uri)
    with speaking_to(uri):
        rows = [_row(run) for run in search(client, experiment_id(client, uri, study))]
    frame = pandas.DataFrame(rows, columns=None if rows else COLUMNS)
    for column in ("start_time", "end_time"):
        frame[column] = pandas.to_datetime(frame[column], unit="ms", utc=True)
    return frame


def run_curves(
    uri: str, run_ids: Iterable[str], metrics_prefix: str | tuple[str, ...]
) -> pandas.DataFrame:
    """Return the curves whose metric's name starts so: ``run_id``, ``metric``, ``step``, ``value``.

    A step that was logged again counts once, with the value logged last. Rows are sorted by run
    (in the order given), metric and step.

    Raises:
        CrosstalkError: The store cannot be used or lacks one of the runs.
    """
    client = connect(uri)
    rows: list[tuple[str, str, int, float]] = []
    with speaking_to(uri):
        for run_id in run_ids:
            points = {(p.key, p.step): p.value for p in history(client, run_id, metrics_prefix)}
            rows += [(run_id, name, step, points[name, step]) for name, step in sorted(points)]
    return pandas.DataFrame(rows, columns=["run_id", "metric", "step", "value"])


def run_record(uri: str, run_id: str) -> tuple[dict[str, str], dict[str, float]]:
    """Return a run's tags and its metrics, each at its last step.

    Raises:
        CrosstalkError: The store cannot be used or has no such run.
    """
    client = connect(uri)
    with speaking_to(uri):
        data = client.get_run(run_id).data
    return dict(data.tags), dict(data.metrics)


def fetch_artifact(uri: str, run_id: str, name: str, folder: Path) -> Path:
    """Copy an artifact of a run into a folder, which is created, and return where it lies.

    Raises:
        CrosstalkError: The store cannot be used, or the run or the artifact is not there.
    """
    client = connect(uri)
    folder.mkdir(parents=True, exist_ok=True)
    with speaking_to(uri):
        if name not in {each.path for each in client.list_artifacts(run_id)}:
            raise CrosstalkError(
                f"tracking store {shown(uri)}: run {run_id}: its artifact {name} is not there"
            )
        return Path(client.download_artifacts(run_id, name, str(folder)))


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


def history(client: MlflowClient, run_id: str, prefix: str | tuple[str, ...]) -> list[Metric]:
    """Return all points of the run's metrics with a prefix, in the order they were logged."""
    names = [name for name in client.get_run(run_id).data.metrics if name.startswith(prefix)]
    points = [point for name in names for point in client.get_metric_history(run_id, name)]
    return sorted(points, key=lambda point: point.timestamp)


def _row(run: Run) -> dict[str, Any]:
    info, data = run.info, run.data
    tags = {name: value for name, value in data.tags.items() if not name.startswith("mlflow.")}
    return {
        "run_id": info.run_id,
        "mlflow_status": info.status,
        "start_time": info.start_time,
        "end_time": info.end_time,
        **{f"tags.{name}": value for name, value in tags.items()},
        **{f"params.{name}": value for name, value in data.params.items()},
        **{f"metrics.{name}": value for name, value in data.metrics.items()},
    }
