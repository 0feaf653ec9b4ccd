"""What the tests of several commands share."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from once import made_once
from projects import Project, ResultsOf, add_store, make_project

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.train import train
from benchmark.study import Cell


@pytest.fixture(scope="session")
def results_of(
    tiny_model: Path, empty_tracking: Path, tmp_path_factory: pytest.TempPathFactory
) -> ResultsOf:
    """Returns the results that something leaves in a project, made once under a name, to copy."""

    def results(name: str, run: Callable[[Project], object]) -> Path:
        def make(folder: Path) -> None:
            with pytest.MonkeyPatch.context() as patch:
                project = make_project(folder, tiny_model, patch)
                add_store(project, empty_tracking)
                run(project)

        return made_once(tmp_path_factory, name, make) / "results"

    return results


def _train(project: Project) -> None:
    cell = project.cell()
    evaluate_initial(cell.study, "tiny", "math3")
    train(cell)


@pytest.fixture
def trained(project: Project, results_of: ResultsOf) -> Cell:
    """A trained cell, its initial policy evaluated."""
    shutil.copytree(results_of("trained", _train), project.root / "results", symlinks=True)
    return project.cell()
