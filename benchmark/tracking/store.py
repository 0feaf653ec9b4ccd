"""Create the MLflow store, open it, and tell its failures in one line.

The embedded default is an SQLite file. Two facts about MLflow shape this module: processes that
meet a missing database at once destroy each other's schema migration, so only
:func:`prepare_store` ever creates one (next to its place, then moved there whole); and MLflow waits
minutes for a server that is gone, so a store is first tried briefly, without MLflow.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import quote, urlsplit

import mlflow.store.db_migrations
import requests
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from benchmark.common.errors import CrosstalkError, Transient, unknown
from benchmark.common.files import exclusive, replacing
from benchmark.tracking.address import TIMEOUT, patience, shown, sqlite_file

LOCKED, UNREACHED = "locked", "it cannot be reached"  # how reasons begin that may pass


def prepare_store(uri: str, study: str) -> None:
    """Create the SQLite store and the study's experiment, where they are missing.

    Run this once before anything else touches the store. A process that is killed here leaves no
    half-made store behind, and processes that run it together wait for one another.
    """
    database = sqlite_file(uri)
    lock = (
        nullcontext()
        if database is None
        else exclusive(database.with_name(f".{database.name}.lock"), "preparing the tracking store")
    )
    with lock, speaking_to(uri):
        if database is not None and not database.exists():
            _create_database(database)
        client = connect(uri)
        found = client.get_experiment_by_name(study)
        if found is None:
            _create_experiment(client, study, database)
        elif found.lifecycle_stage != "active":
            raise CrosstalkError(
                f"tracking store {shown(uri)}: the study {study!r} was deleted there; "
                f"`mlflow experiments restore -x {found.experiment_id}` brings it back"
            )


def announce(uri: str, study: str) -> None:
    """Create the study's experiment in a store that exists, where it is missing.

    Raises:
        CrosstalkError: There is no store, it cannot be reached, or the study was deleted there.
    """
    client = connect(uri)
    with speaking_to(uri):
        found = client.get_experiment_by_name(study)
    if found is None or found.lifecycle_stage != "active":
        prepare_store(uri, study)


def connect(uri: str) -> MlflowClient:
    """Connect to a store that exists, answers in time and has the schema MLflow expects."""
    with speaking_to(uri):
        database = sqlite_file(uri)
        if database is not None:
            _check_database(database, uri)
        elif urlsplit(uri).scheme in ("http", "https"):
            requests.get(f"{uri.rstrip('/')}/health", timeout=patience())
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def experiment_id(client: MlflowClient, uri: str, study: str) -> str:
    """Return the id of the study's experiment."""
    found = client.get_experiment_by_name(study)
    if found is not None and found.lifecycle_stage == "active":
        return str(found.experiment_id)
    names = [each.name for each in client.search_experiments() if each.name != "Default"]
    raise unknown("study", study, names, where=f"tracking store {shown(uri)}")


def await_turn(uri: str) -> None:
    """Wait until an SQLite store can be written to, longer than MLflow's own wait if so set."""
    database = sqlite_file(uri)
    if database is not None:
        connection = open_database(database)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()


@contextmanager
def speaking_to(uri: str) -> Iterator[None]:
    """Turn any failure of the store inside the block into a one-line error."""
    try:
        yield
    except CrosstalkError:
        raise
    except (
        MlflowException,
        SQLAlchemyError,
        sqlite3.Error,
        requests.RequestException,
        ImportError,
        OSError,
    ) as error:
        reason = _reason(error)
        kind = Transient if reason.startswith((LOCKED, UNREACHED)) else CrosstalkError
        raise kind(f"tracking store {shown(uri)}: {reason}") from error


def preload() -> None:
    """Import what MLflow imports when a database is first opened, and settle its tables' classes.

    It takes a second of processor time, which processes forked afterwards are spared.
    """
    for name in ("mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.dialects.sqlite"):
        import_module(name)
    import_module("sqlalchemy.orm").configure_mappers()


def _create_database(database: Path) -> None:
    # This import alone costs half a second, and only the first job of a first study needs it.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with replacing(database) as scratch:
        store = SqlAlchemyStore(f"sqlite:///{scratch}", str(database.parent / "artifacts"))
        store.engine.dispose()


def _create_experiment(client: MlflowClient, study: str, database: Path | None) -> None:
    location = None
    if database is not None:
        location = (database.absolute().parent / "artifacts" / study).as_uri()
    try:
        client.create_experiment(study, artifact_location=location)
    except MlflowException:  # another process, or host, was faster
        if client.get_experiment_by_name(study) is None:
            raise


def _check_database(database: Path, uri: str) -> None:
    if not database.exists():
        raise CrosstalkError(
            f"tracking store {shown(uri)}: there is none yet; `crosstalk prepare STUDY` creates it"
        )
    connection = open_database(database)
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    finally:
        connection.close()
    # MLflow would migrate some old databases by itself, in every process at once.
    if found != (_schema(),):
        raise CrosstalkError(
            f"tracking store {shown(uri)}: found schema {found[0] if found else 'none'}, MLflow "
            f"{mlflow.__version__} needs {_schema()}; back it up, then use `mlflow db upgrade`"
        )


@cache
def _schema() -> str:
    """Return the revision of the database schema that the installed MLflow works with."""
    return str(ScriptDirectory(mlflow.store.db_migrations.__path__[0]).get_current_head())


def open_database(database: Path) -> sqlite3.Connection:
    """Connect to an SQLite store that exists; the connection waits for a writer, up to a limit."""
    location = f"file:{quote(str(database))}?mode=rw"
    return sqlite3.connect(location, uri=True, timeout=patience(), isolation_level=None)


def _reason(error: Exception) -> str:
    text = str(error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    if "database is locked" in line:
        return f"{LOCKED} by another process (waited {patience():g} s; {TIMEOUT} sets it)"
    if isinstance(error, requests.RequestException) or "Max retries exceeded" in line:
        return f"{UNREACHED} ({type(error).__name__})"
    if "no such table" in line or "not a database" in line:
        return "the file is not an MLflow database"
    return line if len(line) <= 300 else f"{line[:300]}…"
