"""Tracking stores with made-up runs."""

import shutil
from pathlib import Path

import pytest
from once import prepared_store

from benchmark.leaderboard.results.table import Table

from .gallery import ALGORITHMS, MODELS, Gallery, write
from .lab import FINALS, Lab


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_store(tmp_path_factory, "quick")


@pytest.fixture(scope="session")
def study_lab(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The whole made-up study, each cell with one finished run. Only read it."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copy(empty_store, folder / "mlflow.db")
    lab = Lab(f"sqlite:///{folder}/mlflow.db")
    for (model, algorithm), finals in FINALS.items():
        lab.complete(lab.expect(model, algorithm), finals)
    return lab


@pytest.fixture(scope="session")
def results(study_lab: Lab) -> Table:
    return study_lab.collect()


@pytest.fixture
def lab(empty_store: Path, tmp_path: Path) -> Lab:
    """An empty store to log runs to."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return Lab(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.fixture(scope="session")
def gallery(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """A made-up study with curves on two models; one cell has a second seed. Only read it."""
    folder = tmp_path_factory.mktemp("gallery")
    shutil.copy(empty_store, folder / "mlflow.db")
    gallery = Gallery(f"sqlite:///{folder}/mlflow.db")
    algorithms = ALGORITHMS[:4]
    gallery.fill(MODELS, algorithms, (0,))
    gallery.fill(MODELS[:1], algorithms[:1], (1,))
    return gallery


@pytest.fixture(scope="session")
def gallery_page(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write(gallery, folder)
    return folder / "index.html"
