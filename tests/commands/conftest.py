"""What the tests of several commands share."""

import shutil
from pathlib import Path

import pytest
from once import made_once
from projects import Project, add_store, make_project

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.train import train
from benchmark.study import Cell


@pytest.fixture(scope="session")
def trained_results(
    tiny_model: Path, empty_tracking: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The results of a trained cell, its initial policy evaluated, to copy."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            project = make_project(folder, tiny_model, patch)
            add_store(project, empty_tracking)
            cell = project.cell()
            evaluate_initial(cell.study, "tiny", "math3")
            train(cell)

    return made_once(tmp_path_factory, "trained", make) / "results"


@pytest.fixture
def trained(project: Project, trained_results: Path) -> Cell:
    """A trained cell, its initial policy evaluated."""
    shutil.copytree(trained_results, project.root / "results", symlinks=True)
    return project.cell()
