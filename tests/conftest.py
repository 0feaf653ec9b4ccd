"""Fixtures of more than one test file. Nothing heavy is imported here: light tests stay light."""

import gc
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark.commands.cli import quiet

# Read on import: one thread, so that sums are the same everywhere, and no network.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
quiet()  # what the command line does first

if TYPE_CHECKING:
    from projects import Make, Project


def pytest_collection_finish() -> None:
    """Keep the collector off all that was imported: each training ends with a full collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model taught for two seconds: enough for each objective to vary."""
    from benchmark.models.tiny import build as tiny_models
    from benchmark.models.tiny import recipes as tiny_recipes
    from benchmark.models.tiny import styles as tiny_styles

    mixture = (
        tiny_styles.Part(tiny_styles.compact, 0.4, right=0.5),
        tiny_styles.Part(tiny_styles.direct, 0.4, right=0.5),
        tiny_styles.Part(tiny_styles.unboxed, 0.2),
    )
    base = tiny_recipes.RECIPES["tiny-qwen2-base"]
    recipe = replace(base, mixture=mixture, steps=30, learning_rate=1e-2)
    folder = tmp_path_factory.mktemp("tiny")
    tiny_models.build("hasty", recipe, folder)
    return folder


@pytest.fixture(scope="session")
def empty_tracking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking store with the test study's experiment; making one takes a second."""
    from projects import STUDY

    from benchmark.tracking.store import prepare_store

    database = tmp_path_factory.mktemp("tracking") / "mlflow.db"
    prepare_store(f"sqlite:///{database}", STUDY)
    return database


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Take away what a command has told the package's logger, whose stream ends with its test."""
    logger = logging.getLogger("benchmark")
    handlers, level, propagates = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagates
    logger.setLevel(level)


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Project":
    """A project root, entered: ``models.yaml`` with the tiny model, no tracking store."""
    from projects import Project

    shutil.copytree(tiny_model, tmp_path / "model")
    (tmp_path / "models.yaml").write_text("tiny: {path: model}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Project(tmp_path)


@pytest.fixture
def tracked_project(project: "Project", empty_tracking: Path) -> "Project":
    """The same with its tracking store."""
    (project.root / "results").mkdir()
    shutil.copy(empty_tracking, project.root / "results" / "mlflow.db")
    return project


@pytest.fixture
def make(tiny_model: Path, tmp_path: Path) -> "Make":
    """Makes trainers as a plain script does: :func:`projects.multi_objective`."""
    from projects import multi_objective

    return partial(multi_objective, tiny_model, tmp_path)
