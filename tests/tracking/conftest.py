"""A tracking store to write to."""

import shutil
from pathlib import Path

import pytest
from tracked import STUDY

from benchmark.tracking.store import prepare_store


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store; making one takes a second, copying it nothing."""
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    prepare_store(f"sqlite:///{database}", STUDY)
    return database


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    shutil.copy(template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"
