from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tasks.files import Rows, json_lines, parquet_file

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objective
from benchmark.tasks import Problem, make_task
from benchmark.tasks.data import BOXED
from benchmark.tasks.math_lighteval import _answer


def rows(start: int, stop: int) -> Rows:
    return [
        {
            "problem": f"Find $x$ in $x = {n} / 7$.",
            "level": "Level 2",
            "type": "Algebra",
            "solution": rf"Not \boxed{{0}}, but $x = \boxed{{\frac{{{n}}}{{7}}}}$.",
        }
        for n in range(start, stop)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parquet_file(tmp_path / "train-00000-of-00001.parquet", rows(0, 40))
    parquet_file(tmp_path / "test-00000-of-00001.parquet", rows(36, 50))
    return tmp_path


def test_what_is_in_the_test_is_not_trained_on(folder: Path) -> None:
    task = make_task("math", path=str(folder))
    sizes: dict[Any, int] = {"train": 32, "validation": 4, "test": 14}
    splits = {split: task.split(split, size) for split, size in sizes.items()}
    answers = {split: {p.answer for p in problems} for split, problems in splits.items()}
    assert answers["test"] == {rf"\frac{{{n}}}{{7}}" for n in range(36, 50)}
    assert answers["train"] | answers["validation"] == {rf"\frac{{{n}}}{{7}}" for n in range(36)}
    assert all(p.prompt.endswith(f"7$. {BOXED}") for p in splits["train"])
    with pytest.raises(CrosstalkError, match="1 to 32"):
        task.split("train", 33)


def test_accuracy_accepts_the_answers(folder: Path) -> None:
    problems = make_task("math", path=str(folder)).split("test", 3)
    found = make_objective("accuracy")(
        completions=[rf"\boxed{{{p.answer}}}" for p in problems],
        completion_ids=[[1]] * 3,
        answer=[p.answer for p in problems],
    )
    assert found == [1, 1, 1]


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"so $\boxed{7}$.", "7"),
        (r"\boxed{1}, no, \boxed{ 2 }", "2"),
        (r"\boxed{\text{a {b} c}}", r"\text{a {b} c}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ 1 \right.}", r"\left\{ 1 \right."),
        (r"$\fbox{9}$", "9"),
        (r"it is $\boxed 7$.", "7"),
        (r"it is $\boxed7$", "7"),
        (r"\boxed{3} and \boxed{}", "3"),
        (r"\boxed{3} and \boxed{4", "3"),
    ],
)
def test_the_answer_is_what_the_last_box_holds(solution: str, answer: str) -> None:
    assert _answer(Problem("row", "?", solution)) == answer


@given(st.text(r"\{}a$ ", max_size=30))
def test_any_content_with_paired_braces_comes_back(text: str) -> None:
    depth = [text[:end].count("{") - text[:end].count("}") for end in range(len(text) + 1)]
    if "\\" in text or min(depth) < 0 or depth[-1] or not text.strip():
        return
    assert (
        _answer(Problem("row", "?", rf"first \boxed{{0}} then \boxed{{{text}}}.")) == text.strip()
    )


def test_a_solution_without_a_box_is_named(folder: Path) -> None:
    json_lines(folder / "train.jsonl", [{"problem": "p", "solution": "It is 3."}])
    told = r"train.jsonl:1: column 'solution': expected a solution with .*, got 'It is 3\.'"
    with pytest.raises(CrosstalkError, match=told):
        make_task("math", path=str(folder)).split("train", 1)


def test_the_hub_is_read_at_its_pinned_commit() -> None:
    (need,) = make_task("math").needs()
    assert need.revision == "0530c78699ea5e8eb5530600900e1f328b48acad"
    assert need.files == tuple(f"data/{p}-00000-of-00001.parquet" for p in ("train", "test"))
