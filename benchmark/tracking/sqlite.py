"""Read thousands of tracked runs from an SQLite store at once, without MLflow's objects.

Why not MLflow's own API: its search builds an object for every tag, parameter and metric of every
run, wanted or not (30 s and 1.3 GB for 10,000 runs), and curves are asked for one by one (40,000
requests for as many runs). These queries only read. They were written for the schemas in
:data:`SCHEMAS`; a store of any other is left to the API. A test holds both ways to equal results.
"""

import math
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from benchmark.tracking.record import KINDS, Kind, RunRecord, Wanted

SCHEMAS = {"dc11669786a5"}  # revisions of MLflow's database that the queries fit
CHUNK = 500  # runs a query; SQLite takes some 32,000 arguments, older builds 999
MOST = 0.25  # share of a store's runs, or of their metrics, from which on reading all is faster
LATEST = "CASE WHEN is_nan THEN NULL ELSE value END"
TABLES: Mapping[Kind, tuple[str, str]] = {  # and the column of the value
    "tags": ("tags", "value"),
    "params": ("params", "value"),
    "metrics": ("latest_metrics", LATEST),
}

Series = tuple[str, str, list[int], list[float]]  # a run's id, a metric, its steps and values
Total = tuple[str, str, float]  # a run's id, a metric, the sum of its values


def fits(connection: sqlite3.Connection) -> bool:
    """Say whether the queries fit the store's schema."""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return found is not None and found[0] in SCHEMAS


def read_runs(connection: sqlite3.Connection, experiment: str, wanted: Wanted) -> list[RunRecord]:
    """Return every run of an experiment that was not deleted, oldest first."""
    runs = connection.execute(
        "SELECT run_uuid, status, start_time, end_time FROM runs "
        "WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY start_time, run_uuid",
        (int(experiment),),
    ).fetchall()
    run_ids = [row[0] for row in runs]
    kinds = [_values(connection, run_ids, kind, wanted) for kind in KINDS]
    return [RunRecord(*row, *(found[row[0]] for found in kinds)) for row in runs]


def read_series(
    connection: sqlite3.Connection, wanted: Mapping[str, Sequence[str]]
) -> Iterator[Series]:
    """Yield the wanted curves of each run, in that order; those without a point are left out.

    Steps ascend; a step that was logged again counts once, with the value logged last.
    """
    read, size = (_of_all, len(wanted)) if _most(connection, wanted) else (_of_some, CHUNK)
    run_ids = list(wanted)
    for start in range(0, len(run_ids), size):
        chunk = run_ids[start : start + size]
        names = sorted({name for run_id in chunk for name in wanted[run_id]})
        found = {(r, n): (s, v) for r, n, s, v in read(connection, chunk, names)}
        for run_id in chunk:
            for name in wanted[run_id]:
                if (run_id, name) in found:
                    yield run_id, name, *found[run_id, name]


def read_totals(
    connection: sqlite3.Connection, wanted: Mapping[str, Sequence[str]]
) -> Iterator[Total]:
    """Yield the wanted metrics of each run, summed over steps; those without a point are left out.

    The database adds up what was logged once a step; the rest is read by :func:`read_series`.
    """
    rest: Mapping[str, Sequence[str]] = wanted
    if _most(connection, wanted):
        names = sorted({name for own in wanted.values() for name in own})
        summed = {name: dict(_sums(connection, name)) for name in names}
        for run_id, own in wanted.items():
            yield from ((run_id, n, summed[n][run_id]) for n in own if run_id in summed[n])
        rest = {
            run_id: left
            for run_id, own in wanted.items()
            if (left := [name for name in own if run_id not in summed[name]])
        }
    for run_id, name, _, values in read_series(connection, rest):
        yield run_id, name, math.fsum(values)


def _most(connection: sqlite3.Connection, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Say whether so many runs are wanted that reading those of the whole store is faster."""
    (runs,) = connection.execute("SELECT COUNT(*) FROM runs").fetchone()
    return bool(len(wanted) > MOST * runs)


def _sums(connection: sqlite3.Connection, name: str) -> sqlite3.Cursor:
    """Return each run's sum of a metric's values, of those that were logged once a step."""
    return connection.execute(
        "SELECT run_uuid, SUM(value) FROM metrics WHERE key = ? GROUP BY run_uuid "
        "HAVING COUNT(*) = COUNT(DISTINCT step) AND NOT MAX(is_nan)",
        (name,),
    )


def _values(
    connection: sqlite3.Connection, run_ids: Sequence[str], kind: Kind, wanted: Wanted
) -> dict[str, dict[str, Any]]:
    """Return what is wanted of a kind, by run and name; equal texts are kept once."""
    table, value = TABLES[kind]
    found: dict[str, dict[str, Any]] = {run_id: {} for run_id in run_ids}
    keys = [row[0] for row in connection.execute(f"SELECT DISTINCT key FROM {table}")]
    kept = {key: sys.intern(key) for key in keys if wanted(kind, key)}
    columns = f"SELECT run_uuid, key, {value} FROM {table}"
    if len(kept) > MOST * len(keys):  # row by row as they lie, which is faster than by any index
        rows: Iterable[tuple[str, str, Any]] = connection.execute(f"{columns} NOT INDEXED")
    else:
        one = (connection.execute(f"{columns} WHERE key = ?", (key,)) for key in kept)
        rows = chain.from_iterable(one)
    for run_id, key, each in rows:
        if run_id in found and key in kept:
            own = sys.intern(each) if isinstance(each, str) else each
            found[run_id][kept[key]] = math.nan if own is None else own
    return found


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
