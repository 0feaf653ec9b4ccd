"""What tests only read is made once in a run of the tests, however many workers there are."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder ``name`` of this run, which ``make`` fills for the first who asks.

    Others wait meanwhile. What one failed to make, the next one tries again.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose folder is one of several
        root = root.parent
    folder, made = root / f"once-{name}", root / f".once-{name}"
    with FileLock(root / f".once-{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def prepared_store(factory: pytest.TempPathFactory, study: str) -> Path:
    """Return a tracking store with a study's experiment; making one takes a second."""
    from benchmark.tracking.store import prepare_store

    def make(folder: Path) -> None:
        prepare_store(f"sqlite:///{folder}/mlflow.db", study)

    return made_once(factory, f"store-{study}", make) / "mlflow.db"
