"""Objectives and tasks that lie outside the package: in a file of the project, or installed."""

from pathlib import Path
from typing import Any

import pytest
from studies import STUDY, load_study, make_root, write_study

from benchmark.common.errors import CrosstalkError
from benchmark.study import check
from benchmark.study import load_study as load

OBJECTIVE = """\
from {stem}_words import count

from benchmark.objectives import Objective, completion_text


class Few(Objective):
    def __init__(self, most=3):
        if most < 1:
            raise ValueError("most: expected at least 1")
        self.most = most

    def rewards(self, *, completions, completion_ids, **columns):
        return [float(count(completion_text(text)) <= self.most) for text in completions]
"""
TASK = """\
from benchmark.tasks import Problem, Task


class Echo(Task):
    name = "echo"

    def __init__(self, *, word="a"):
        self.word = word

    def split(self, split, size):
        self.check(split, size, dict.fromkeys(("train", "validation", "test"), 2000))
        said = f"Say {self.word} {split}"
        return [Problem(f"{split}-{n}", f"{said} {n}", str(n)) for n in range(size)]
"""
EQUAL = {"objectives": ["accuracy", "few"]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


@pytest.fixture
def module(root: Path, request: pytest.FixtureRequest) -> str:
    """The name of a module with both, beside it one that it imports; another in each test."""
    stem = f"mine_{abs(hash(request.node.name))}"
    text = OBJECTIVE.format(stem=stem) + TASK
    (root / f"{stem}.py").write_text(text)
    (root / f"{stem}_words.py").write_text("def count(text):\n    return len(text.split())\n")
    return stem


def changes(module: str, **parameters: Any) -> dict[str, Any]:
    return {
        "objectives": {"few": {"objective": f"{module}:Few", **parameters}},
        "objective_sets": {"mine": EQUAL},
        "task": {"name": f"{module}:Echo", "parameters": {"word": "b"}},
    }


def test_a_study_takes_both_by_module_and_class(root: Path, module: str) -> None:
    study = load_study(root, **changes(module, most=2))
    _, few = study.make_objectives("mine")
    assert few.name == "few"
    assert few(completions=["a b", "a b c"], completion_ids=[[1], [2]]) == [1.0, 0.0]
    assert study.task.split("test", 1)[0].prompt == "Say b test 0"


def test_their_code_is_part_of_the_hash(root: Path, module: str) -> None:
    study = load_study(root, **changes(module))
    code = study.scoring_code("mine")
    assert {root / f"{module}.py", root / f"{module}_words.py"} <= code
    cells = [load_study(root, **changes(module, most=n)).cells[0] for n in (2, 2, 3)]
    hashes = [cell.hash for cell in cells]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_file_beside_the_study_is_found(root: Path, module: str, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    for file in root.glob(f"{module}*.py"):
        file.rename(folder / file.name)
    study = write_study(root, **changes(module)).rename(folder / f"{STUDY}.yaml")
    loaded = load(str(study), root)
    check(loaded)
    assert [each.name for each in loaded.make_objectives("mine")] == ["accuracy", "few"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"few": "{m}:Fw"}, "objectives.few: objective '{m}:Fw': unknown class 'Fw'; did you mean"),
        ({"few": "{m}:Echo"}, "objectives.few: .*expected a subclass of Objective, got <class"),
        ({"few": "no_such:Few"}, "objectives.few: .*cannot import 'no_such': ModuleNotFound"),
        ({"task": "{m}:Few"}, "task.parameters: task .*expected a subclass of Task, got <class"),
        ({"task": "no_such:X"}, "task.parameters: task 'no_such:X': cannot import 'no_such'"),
        ({"task": "{m}:"}, "task.name: expected text that matches"),
    ],
)
def test_what_is_not_there_is_named(
    root: Path, module: str, names: dict[str, str], told: str
) -> None:
    told, given = told.replace("{m}", module), changes(module)
    if "few" in names:
        given["objectives"]["few"]["objective"] = names["few"].replace("{m}", module)
    if "task" in names:
        given["task"]["name"] = names["task"].replace("{m}", module)
    with pytest.raises(CrosstalkError, match=told):
        load_study(root, **given)


def test_a_parameter_that_it_refuses_is_named(root: Path, module: str) -> None:
    with pytest.raises(CrosstalkError, match=r"objectives\.few: .*most: expected at least 1"):
        load_study(root, **changes(module, most=0))
    with pytest.raises(CrosstalkError, match=r"objectives\.few: .*mots"):
        load_study(root, **changes(module, mots=1))


def test_a_task_that_fails_takes_one_line(root: Path, module: str) -> None:
    file = root / f"{module}.py"
    file.write_text(file.read_text().replace('f"{split}-{n}"', "self.nothing"))
    with pytest.raises(CrosstalkError, match=rf"task\.train: task '{module}:Echo'.*nothing"):
        load_study(root, **changes(module))


def test_installed_ones_go_by_their_own_names(
    root: Path, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / f"{module}-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {module}\nVersion: 1\n")
    points = (("objectives", "few_words", "Few"), ("tasks", "echo_words", "Echo"))
    text = "".join(f"[crosstalk.{kind}]\n{name} = {module}:{cls}\n" for kind, name, cls in points)
    (information / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    study = load_study(
        root,
        objective_sets={"mine": {"objectives": ["accuracy", "few_words"]}},
        task={"name": "echo_words"},
    )
    assert [each.name for each in study.make_objectives("mine")] == ["accuracy", "few_words"]
    assert study.task.name == "echo"
