from pathlib import Path
from typing import Any

import pytest
from tasks.files import json_lines, parquet_file, sums

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import make_task

SIZES = {"train": 12, "validation": 4, "test": 4}


def ids(task: Any) -> dict[str, list[str]]:
    return {split: [p.id for p in task.split(split, size)] for split, size in SIZES.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return json_lines(tmp_path / "mine.jsonl", sums(20))


def test_table_is_cut_into_three_splits(file: Path) -> None:
    found = ids(make_task("table", path=str(file)))
    every = sorted(id_ for part in found.values() for id_ in part)
    assert every == sorted(f"mine.jsonl:{row}" for row in range(1, 21))
    assert found == ids(make_task("table", path=str(file)))
    assert found != ids(make_task("table", path=str(file), seed=1))


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    rows = [{"q": {"text": f"{n} + 1"}, "a": n + 1, "key": n} for n in range(5)]
    file = parquet_file(tmp_path / "mine.parquet", rows)
    names = {"prompt": "q.text", "answer": "a", "id": "key", "suffix": "="}
    (problem, *_) = make_task("table", path=str(file), **names).split("test", 1)
    number = int(problem.id)
    assert (problem.prompt, problem.answer) == (f"{number} + 1 =", f"{number + 1}")


def test_answers_may_be_left_out(tmp_path: Path) -> None:
    file = json_lines(tmp_path / "mine.jsonl", [{"prompt": f"{n}"} for n in range(5)])
    (problem,) = make_task("table", path=str(file), answer=None).split("test", 1)
    assert problem.answer == ""


def test_a_column_may_name_the_splits(tmp_path: Path) -> None:
    names = ["test", "train", "validation", "train", "test"]
    rows = [{**row, "part": name} for row, name in zip(sums(5), names, strict=True)]
    task = make_task("table", path=str(json_lines(tmp_path / "m.jsonl", rows)), split="part")
    assert [p.id for p in task.split("train", 2)] == ["m.jsonl:2", "m.jsonl:4"]
    assert [p.id for p in task.split("test", 2)] == ["m.jsonl:1", "m.jsonl:5"]
    rows[1]["part"] = "dev"
    task = make_task("table", path=str(json_lines(tmp_path / "m.jsonl", rows)), split="part")
    with pytest.raises(CrosstalkError, match=r"'m.jsonl:2': column 'part': .*, got 'dev'"):
        task.split("train", 1)


def test_a_folder_may_hold_the_splits(tmp_path: Path) -> None:
    for name, rows in (("train", sums(9)[:5]), ("val", sums(9)[5:7]), ("test", sums(9)[7:])):
        json_lines(tmp_path / f"{name}.jsonl", rows)
    task = make_task("table", path=str(tmp_path))
    assert [p.answer for p in task.split("validation", 2)] == ["6", "7"]
    assert sorted(task.contents()) == ["test.jsonl", "train.jsonl", "val.jsonl"]
    assert task.needs() == []


def test_a_prompt_in_two_rows_is_refused(tmp_path: Path) -> None:
    file = json_lines(tmp_path / "m.jsonl", [*sums(5), *sums(1)])
    with pytest.raises(CrosstalkError, match="have the same prompt"):
        make_task("table", path=str(file)).split("train", 1)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"prompt": 3}, "prompt: expected a column's name, got 3"),
        ({"answer": 3}, "answer: expected a column's name, got 3"),
        ({"held_out": 1}, "held_out: expected a share above 0 and below 1, got 1"),
        ({"held_out": "half"}, "held_out: expected"),
        ({"seed": -1}, "seed: expected an integer"),
        ({"path": None}, "path: expected a folder or file"),
        ({"prompts": "q"}, "unknown parameter 'prompts'; did you mean 'prompt'"),
    ],
)
def test_wrong_parameters_are_named(file: Path, parameters: Any, expected: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        make_task("table", **({"path": str(file)} | parameters))
    assert expected in str(caught.value)


def test_a_table_without_a_path_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="task 'table': parameter 'path' is missing"):
        make_task("table")
