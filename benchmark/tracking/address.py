"""Find the tracking store, and say how long to wait for it. Imports no MLflow."""

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import relative

TIMEOUT = "CROSSTALK_STORE_TIMEOUT"  # seconds to wait for a store that is locked or silent


def tracking_uri(root: Path) -> str:
    """Return the store's address: ``MLFLOW_TRACKING_URI``, else SQLite below ``root``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.absolute()}/results/mlflow.db"


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite store; None for any other store."""
    prefix, _, location = uri.partition(":///")
    return Path(location.partition("?")[0]) if prefix.partition("+")[0] == "sqlite" else None


def shown(uri: str) -> str:
    """Return the address for a message: a file as a relative path, a server without password."""
    database = sqlite_file(uri)
    if database is not None:
        return relative(database)
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def patience() -> float:
    """Return the seconds to wait for a store that is locked or silent."""
    text = os.environ.get(TIMEOUT, "20")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise CrosstalkError(f"{TIMEOUT}: expected a number of seconds above 0, got {text!r}")
    return seconds
