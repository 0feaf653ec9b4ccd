"""What `crosstalk new` writes into a project: it is valid, its tests pass, names are not taken."""

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.commands.init import init
from benchmark.commands.new import KNOWN, new
from benchmark.common.errors import CrosstalkError
from benchmark.study import check, load_study

MINE = ("mine_first", "mine_second", "mine_third")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    init(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.syspath_prepend(tmp_path / "project")
    yield tmp_path / "project"
    for name in MINE:
        sys.modules.pop(name, None)


def run_tests_in(file: Path) -> int:
    """Run the tests in a file; return how many there are."""
    tests = [run for name, run in runpy.run_path(str(file)).items() if name.startswith("test_")]
    for run in tests:
        run()
    return len(tests)


def test_what_is_new_is_tested_and_takes_part_in_a_study(root: Path) -> None:
    for kind, name in zip(KNOWN, MINE, strict=True):
        files = new(kind, name, root).files
        assert [file.name for file in files] == [f"{name}.py", f"test_{name}.py"]
        assert run_tests_in(files[1]) == 2
    assert new("model", "mine", root).files == [root / "models.yaml"]
    (file,) = new("study", "mine", root).files
    settings: dict[str, Any] = yaml.safe_load(file.read_text())
    settings["models"] = {"mine": None}
    settings["algorithms"]["mine"] = {"scalarizer": "mine_first:MineFirst"}
    settings["objectives"] = {"few": {"objective": "mine_second:MineSecond", "lines": 2}}
    settings["objective_sets"] = {"both": {"objectives": ["accuracy", "few"]}}
    settings["task"] |= {"name": "mine_third:MineThird"}
    file.write_text(yaml.safe_dump(settings))
    study = load_study("mine", root)
    check(study)
    code = study.scoring_code("both")
    assert {root / "mine_second.py", root / "mine_third.py"} <= code
    assert study.task.split("test", 1)[0].answer == "9001"


def test_a_new_study_is_valid_as_it_is(root: Path) -> None:
    told = new("study", "other", root)
    check(load_study("other", root))
    assert told.next == "crosstalk check other && crosstalk run other"


def test_models_are_added_one_after_another(root: Path) -> None:
    before = (root / "models.yaml").read_text()
    new("model", "a", root)
    new("model", "b", root)
    text = (root / "models.yaml").read_text()
    assert list(yaml.safe_load(text)) == ["a", "b"]
    assert text.startswith(before.removesuffix("{}\n").rstrip())


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("scalarizer", "linear", "the name is taken: the package has one"),
        ("objective", "present", r"the name is taken: present\.py exists"),
        ("task", "half", r"the name is taken: test_half\.py exists"),
        ("task", "json", "the name is taken: Python has a module json"),
        ("scalarizer", "My-Rule", "expected the name of a Python module"),
        ("objective", "class", "expected the name of a Python module"),
        ("study", "quick", "the name is taken by .*quick.yaml"),
        ("study", "../x", "study: expected up to 100 characters that match"),
        ("model", "tiny-qwen2-base", "the name is taken in models.yaml or by a shipped one"),
        ("model", "a b", "model: expected up to 100 characters that match"),
    ],
)
def test_a_name_that_is_taken_is_refused(root: Path, kind: str, name: str, told: str) -> None:
    for file in ("present.py", "test_half.py"):
        (root / file).touch()
    before = sorted(root.rglob("*"))
    with pytest.raises(CrosstalkError, match=told):
        new(kind, name, root)
    assert sorted(root.rglob("*")) == before


def test_a_models_file_in_braces_is_left_alone(root: Path) -> None:
    (root / "models.yaml").write_text("{a: {recipe: tiny-qwen2-base}}\n")
    with pytest.raises(CrosstalkError, match=r"models\.yaml: cannot append to it"):
        new("model", "b", root)
    assert (root / "models.yaml").read_text() == "{a: {recipe: tiny-qwen2-base}}\n"


def test_outside_of_a_project_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"no models\.yaml here: expected a project's folder"):
        new("study", "mine", tmp_path)
    assert not list(tmp_path.iterdir())
