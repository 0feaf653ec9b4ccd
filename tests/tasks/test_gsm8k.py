from pathlib import Path

import pytest
from tasks.files import Rows, json_lines, parquet_file

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import make_task
from benchmark.tasks.data import BOXED


def rows(start: int, stop: int) -> Rows:
    return [
        {"question": f"Ann has {n} pears. How many?", "answer": f"She has {n}.\n#### {n:,}"}
        for n in range(start, stop)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parquet_file(tmp_path / "train-00000-of-00001.parquet", rows(1000, 1040))
    parquet_file(tmp_path / "test-00000-of-00001.parquet", rows(1036, 1050))
    return tmp_path


def test_the_answer_is_what_comes_after_the_working(folder: Path) -> None:
    (problem,) = make_task("gsm8k", path=str(folder)).split("test", 1)
    assert problem.answer.isdigit()
    assert problem.prompt == f"Ann has {problem.answer} pears. How many? {BOXED}"


def test_validation_is_a_tenth_of_training(folder: Path) -> None:
    task = make_task("gsm8k", path=str(folder))
    sizes = {"train": 32, "validation": 4, "test": 14}  # four of the 40 are in the test split too
    splits = {split: task.split(split, size) for split, size in sizes.items()}  # type: ignore[arg-type]
    answers = {split: {int(p.answer) for p in problems} for split, problems in splits.items()}
    assert answers["test"] == set(range(1036, 1050))
    assert answers["train"] | answers["validation"] == set(range(1000, 1036))
    with pytest.raises(CrosstalkError, match="1 to 32"):
        task.split("train", 33)


def test_validation_of_ones_own_is_taken(folder: Path) -> None:
    json_lines(folder / "val.jsonl", rows(2000, 2003))
    problems = make_task("gsm8k", path=str(folder)).split("validation", 3)
    assert [int(p.answer) for p in problems] == [2000, 2001, 2002]


def test_the_hubs_revision_has_to_be_named() -> None:
    with pytest.raises(
        CrosstalkError, match=r"dataset openai/gsm8k: revision: expected a commit .* got none"
    ):
        make_task("gsm8k")
    (need,) = make_task("gsm8k", revision="0" * 40).needs()
    assert need.revision == "0" * 40
    assert len(need.files) == 2


def test_an_answer_without_its_mark_is_named(folder: Path) -> None:
    json_lines(folder / "val.jsonl", [{"question": "q", "answer": "She has 3."}])
    with pytest.raises(
        CrosstalkError, match=r"val.jsonl:1: column 'answer': .*, got 'She has 3\.'"
    ):
        make_task("gsm8k", path=str(folder)).split("train", 1)


def test_a_folder_without_a_test_is_refused(folder: Path) -> None:
    (folder / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(CrosstalkError, match=r"expected files train\* and test\*, got train-"):
        make_task("gsm8k", path=str(folder)).split("train", 1)
