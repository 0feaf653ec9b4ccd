"""Keep the files of runs beside an SQLite store, wherever its project lies now.

MLflow writes down where an experiment's files lie, as a whole path. A project that was moved, or
copied, would go on writing to its old place, and find nothing there.
"""

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
            if found != here and found.endswith(f"/{FOLDER}/{quote(name)}"):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(
                    "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                    "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                    (here, len(found) + 1, experiment, len(found) + 1, f"{found}/"),
                )
                connection.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                    (here, experiment),
                )
                connection.execute("COMMIT")
    finally:
        connection.close()
