"""A tracking store to write to."""

import shutil
from pathlib import Path

import pytest
from once import prepared_store
from tracked import STUDY


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store, to copy."""
    return prepared_store(tmp_path_factory, STUDY)


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    shutil.copy(template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"
