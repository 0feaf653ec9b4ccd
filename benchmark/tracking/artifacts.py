"""Keep the files of runs beside an SQLite store, wherever its project lies now.

MLflow writes down where an experiment's files lie, as a whole path. A project that was moved, or
copied, would go on writing to its old place, and find nothing there.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from benchmark.tracking.address import sqlite_file
from benchmark.tracking.store import open_database

INITIAL = "initial_completions.parquet"  # a few answers of the policy before training
FOLDER = "artifacts"  # beside the store: artifacts/<study>/<run>/artifacts


def beside(uri: str, artifact_uri: str) -> Path | None:
    """Return the folder of a run's files beside its SQLite store.

    None for a store on a server, and for files that were put somewhere else on purpose.
    """
    database = sqlite_file(uri)
    parts = Path(unquote(urlsplit(artifact_uri).path)).parts[-4:]
    if database is None or len(parts) < 4 or (parts[0], parts[3]) != (FOLDER, FOLDER):
        return None
    return database.absolute().parent.joinpath(*parts)


def settle(uri: str) -> None:
    """Have an SQLite store that was moved name the place of its files beside it."""
    database = sqlite_file(uri)
    if database is None:
        return
    connection = open_database(database)
    try:
        rows = connection.execute("SELECT experiment_id, name, artifact_location FROM experiments")
        for experiment, name, found in rows.fetchall():
            here = (database.absolute().parent / FOLDER / name).as_uri()
            end = f"/{FOLDER}/{quote(name)}"
            if found.endswith(end):  # else it is a place of a user's own
                _settle_experiment(connection, experiment, here, end)
    finally:
        connection.close()


def _settle_experiment(
    connection: sqlite3.Connection, experiment: int, here: str, end: str
) -> None:
    """Have an experiment and each of its runs name ``here``.

    They may name different places, one of them ``here`` already. A run whose place does not end as
    the experiment's does, was put there on purpose and stays.
    """
    away = (
        "WHERE experiment_id = :experiment AND artifact_uri != :here || '/' || run_uuid || :last "
        "AND substr(artifact_uri, -length(:end || '/' || run_uuid || :last)) "
        "= :end || '/' || run_uuid || :last"
    )
    named = {"experiment": experiment, "here": here, "end": end, "last": f"/{FOLDER}"}
    other = "FROM experiments WHERE experiment_id = :experiment AND artifact_location != :here"
    query = f"SELECT EXISTS (SELECT 1 FROM runs {away}) OR EXISTS (SELECT 1 {other})"
    if not connection.execute(query, named).fetchone()[0]:
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        f"UPDATE runs SET artifact_uri = :here || '/' || run_uuid || :last {away}", named
    )
    connection.execute(
        "UPDATE experiments SET artifact_location = :here WHERE experiment_id = :experiment", named
    )
    connection.execute("COMMIT")
