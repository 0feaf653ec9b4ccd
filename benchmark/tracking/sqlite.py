"""Reading thousands of tracked runs from an SQLite store at once, without MLflow's objects.

Why not MLflow's own API: its search builds an object for every tag, parameter and metric of every
run, wanted or not (30 s and 1.3 GB for 10,000 runs), and curves are asked for one by one (40,000
requests for as many runs). These queries only read. They were written for the schemas in
:data:`SCHEMAS`; a store of any other is left to the API. A test holds both ways to equal results.
"""

import math
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

SCHEMAS = {"dc11669786a5"}  # revisions of MLflow's database that the queries fit
CHUNK = 500  # runs a query; SQLite takes some 32,000 arguments, older builds 999
MOST = 0.25  # share of a store's runs from which on reading a metric of all of them is faster
LATEST = "CASE WHEN is_nan THEN NULL ELSE value END"
TABLES = {"tags": "value", "params": "value", "latest_metrics": LATEST}
KINDS = {"tags": "tags", "params": "params", "latest_metrics": "metrics"}  # names of columns

Series = tuple[str, str, list[int], list[float]]  # a run's id, a metric, its steps and values


def fits(connection: sqlite3.Connection) -> bool:
    """Say whether the queries fit the store's schema."""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return found is not None and found[0] in SCHEMAS


def read_runs(
    connection: sqlite3.Connection, experiment: str, wanted: Callable[[str], bool]
) -> list[dict[str, Any]]:
    """Return a record of every run of an experiment that was not deleted, oldest first.

    Args:
        connection: To the store's database.
        experiment: The experiment's id.
        wanted: Says which of ``tags.<name>``, ``params.<name>``, ``metrics.<name>`` to read.
    """
    runs = connection.execute(
        "SELECT run_uuid, status, start_time, end_time FROM runs "
        "WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY start_time, run_uuid",
        (int(experiment),),
    )
    names = ("run_id", "mlflow_status", "start_time", "end_time")
    records = {row[0]: dict(zip(names, row, strict=True)) for row in runs}
    for table, value in TABLES.items():
        _add(connection, records, table, value, wanted)
    return list(records.values())


def read_series(
    connection: sqlite3.Connection, wanted: Mapping[str, Sequence[str]]
) -> Iterator[Series]:
    """Yield the curves that are wanted of each run, in that order; those without a point are not.

    Steps ascend; a step that was logged again counts once, with the value logged last.
    """
    (runs,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
    read, size = (_of_all, len(wanted)) if len(wanted) > MOST * runs else (_of_some, CHUNK)
    run_ids = list(wanted)
    for start in range(0, len(run_ids), size):
        chunk = run_ids[start : start + size]
        names = sorted({name for run_id in chunk for name in wanted[run_id]})
        found = {(r, n): (s, v) for r, n, s, v in read(connection, chunk, names)}
        for run_id in chunk:
            for name in wanted[run_id]:
                if (run_id, name) in found:
                    yield run_id, name, *found[run_id, name]


def _add(
    connection: sqlite3.Connection,
    records: Mapping[str, dict[str, Any]],
    table: str,
    value: str,
    wanted: Callable[[str], bool],
) -> None:
    """Add what is wanted of a table to the runs' records; equal texts are kept once."""
    keys = [row[0] for row in connection.execute(f"SELECT DISTINCT key FROM {table}")]
    columns = {key: sys.intern(f"{KINDS[table]}.{key}") for key in keys}
    for key in (key for key in keys if wanted(columns[key])):
        column = columns[key]
        rows = connection.execute(f"SELECT run_uuid, {value} FROM {table} WHERE key = ?", (key,))
        for run_id, found in rows:
            if run_id in records:
                text = sys.intern(found) if isinstance(found, str) else found
                records[run_id][column] = math.nan if text is None else text


def _of_all(
    connection: sqlite3.Connection, run_ids: Sequence[str], names: Sequence[str]
) -> Iterator[Series]:
    """Yield curves, read metric by metric in the order of the table's primary key.

    It holds all that is asked for, so the rows themselves, far apart, are never looked up.
    """
    for name in names:
        curves: dict[str, dict[int, float]] = {run_id: {} for run_id in run_ids}
        rows = connection.execute(
            f"SELECT run_uuid, step, {LATEST} FROM metrics WHERE key = ? "
            "ORDER BY timestamp, step, run_uuid, is_nan DESC, value",
            (name,),
        )
        for run_id, step, value in rows:
            if run_id in curves:
                curves[run_id][step] = math.nan if value is None else value
        for run_id, curve in curves.items():
            if curve:
                steps = sorted(curve)
                yield run_id, name, steps, [curve[step] for step in steps]


def _of_some(
    connection: sqlite3.Connection, run_ids: Sequence[str], names: Sequence[str]
) -> Iterator[Series]:
    """Yield curves, looked up run by run."""
    rows = connection.execute(
        f"SELECT run_uuid, key, step, {LATEST} FROM metrics "
        f"WHERE run_uuid IN ({_marks(run_ids)}) AND key IN ({_marks(names)}) "
        "ORDER BY run_uuid, key, step, timestamp, is_nan DESC, value",
        (*run_ids, *names),
    )
    for (run_id, name), points in groupby(rows, key=itemgetter(0, 1)):
        latest = {step: math.nan if value is None else value for _, _, step, value in points}
        yield run_id, name, list(latest), list(latest.values())


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
