"""Keep MLflow silent and offline. Imports no MLflow."""

import logging
import os

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Retries of a request (5, after 0, 2, 4, 8 and 16 s) that outlast a server's restart.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def quiet() -> None:
    """Set up MLflow for a process of ours, before it is imported; a user's own settings win.

    Without this call everything works, with MLflow's own telemetry, messages and retries.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # MLflow logs a database error with its traceback before raising it; we tell it in one line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
