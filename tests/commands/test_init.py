"""A project folder as `crosstalk init` makes it."""

import subprocess
from pathlib import Path

import pytest

from benchmark.commands.init import init
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import SHIPPED
from benchmark.models.entry import load_models
from benchmark.study import check, load_study


def test_a_new_project_has_a_study_that_is_valid(tmp_path: Path) -> None:
    assert init(tmp_path / "deep" / "my-study") == "my-study"
    root = tmp_path / "deep" / "my-study"
    study = load_study("my-study", root)
    check(study)
    assert study.cells
    assert study.given_path == "studies/my-study.yaml"
    assert load_models(root) == load_models(SHIPPED)
    assert "crosstalk run my-study" in (root / "README.md").read_text()
    check(load_study("smoke", root))


def test_git_sees_what_is_published_and_no_run(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    init(root)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    for name in ("boards/mine/index.html", "runs/mine/x", "leaderboards/mine/index.html"):
        (root / "results" / name).parent.mkdir(parents=True)
        (root / "results" / name).touch()
    command = ["git", "-C", root, "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    own = [".gitignore", "README.md", "models.yaml", "results/leaderboards/mine/index.html"]
    assert [line[3:] for line in done.stdout.splitlines()] == [*own, "studies/mine.yaml"]


def test_an_empty_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert init(Path()) == "empty"


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").touch()
    with pytest.raises(CrosstalkError, match=r"full: expected an empty folder .* '.hidden'$"):
        init(tmp_path / "full")
    assert [file.name for file in (tmp_path / "full").iterdir()] == [".hidden"]


@pytest.mark.parametrize("name", ["a b", "-x", ".x", "ä"])
def test_a_name_that_no_study_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CrosstalkError, match="expected a folder's name of letters and digits"):
        init(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(CrosstalkError, match="taken: Not a directory"):
        init(tmp_path / "taken")
