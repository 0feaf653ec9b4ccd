from pathlib import Path

import pytest

from benchmark.common import paths as project
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import Layout, model_folder, project_root, relative


def test_the_root_is_the_current_folder_if_it_holds_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path


def test_the_root_is_else_the_checkout_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert project_root() == Path(__file__).parents[2]


def test_without_models_anywhere_there_is_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "PACKAGE", tmp_path / "installed" / "benchmark")
    with pytest.raises(CrosstalkError, match=r"no models\.yaml here; `crosstalk init FOLDER`"):
        project_root()


def test_everything_lies_below_results(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "lab")
    cell = layout.cell("m/o/a/seed0")
    assert cell == tmp_path / "results" / "runs" / "lab" / "m" / "o" / "a" / "seed0"
    assert layout.baseline("m", "o") == cell.parents[1] / "baseline"
    assert layout.probe("m", "o") == cell.parents[1] / "probe"
    assert layout.board == tmp_path / "results" / "boards" / "lab"
    assert layout.leaderboard == tmp_path / "results" / "leaderboards" / "lab"
    assert layout.tracking.parent == layout.runs
    assert model_folder(tmp_path, "m") == tmp_path / "results" / "models" / "m"


def test_paths_are_shown_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "here"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert relative(inside / "a" / "b.yaml") == str(Path("a", "b.yaml"))
    assert relative(tmp_path / "b.yaml") == str(tmp_path / "b.yaml")
    inside.rmdir()
    assert relative(tmp_path / "b.yaml") == str(tmp_path / "b.yaml")
