from pathlib import Path
from typing import Any

import pytest
from tasks.files import json_lines, parquet_file

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import Problem, Task, make_task
from benchmark.tasks.data import BOXED

SIZES = {"train": 300, "validation": 100, "test": 100}


def hub_rows(count: int) -> list[dict[str, Any]]:
    """Return rows of problems of our own, with the columns of the hub's file."""
    return [
        {
            "problem": f"What is ${number} + \\frac{{1}}{{2}}$?",
            "solution": f"The sum is $\\boxed{{\\frac{{{2 * number + 1}}}{{2}}}}$.",
            "answer": f"\\frac{{{2 * number + 1}}}{{2}}",
            "subject": "Prealgebra",
            "level": 1,
            "unique_id": f"test/prealgebra/{number}.json",
        }
        for number in range(count)
    ]


def study_rows(start: int, stop: int) -> list[dict[str, Any]]:
    """Return the same problems with the columns of the study's files."""
    return [
        {
            "unique_id": row["unique_id"],
            "prompt": [{"role": "user", "content": f"{row['problem']} {BOXED}"}],
            "reward_model": {"style": "rule", "ground_truth": row["answer"]},
        }
        for row in hub_rows(stop)[start:]
    ]


def whole(task: Task) -> dict[str, list[Problem]]:
    return {split: task.split(split, size) for split, size in SIZES.items()}  # type: ignore[arg-type]


def numbers(problems: list[Problem]) -> list[int]:
    return [int(problem.id.split("/")[-1].removesuffix(".json")) for problem in problems]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return json_lines(tmp_path / "test.jsonl", hub_rows(500))


def test_one_file_is_cut_into_three_splits(file: Path) -> None:
    splits = whole(make_task("math500", path=str(file)))
    every = sorted(number for problems in splits.values() for number in numbers(problems))
    assert every == list(range(500))


def test_the_cut_is_that_of_the_study_and_never_changes(file: Path) -> None:
    splits = whole(make_task("math500", path=str(file)))
    # Where the study's files have the hub's first problems.
    assert numbers(splits["test"])[68] == 0
    assert numbers(splits["validation"])[32] == 2
    assert numbers(splits["train"])[1] == 3


def test_a_problem_is_read_with_its_id_prompt_and_answer(file: Path) -> None:
    problems = make_task("math500", path=str(file)).split("train", 300)
    (problem,) = [each for each in problems if each.id == "test/prealgebra/3.json"]
    assert problem.prompt == f"What is $3 + \\frac{{1}}{{2}}$? {BOXED}"
    assert problem.answer == r"\frac{7}{2}"


def test_own_suffix_replaces_the_studys(file: Path) -> None:
    ends = {
        suffix: make_task("math500", path=str(file), suffix=suffix).split("train", 1)[0].prompt
        for suffix in ("Box it.", "")
    }
    assert ends["Box it."] == f"{ends['']} Box it."
    assert ends[""].endswith("$?")


def test_a_folder_that_is_cut_already_is_taken_as_it_is(tmp_path: Path) -> None:
    parquet_file(tmp_path / "train.parquet", study_rows(0, 300))
    parquet_file(tmp_path / "val.parquet", study_rows(300, 400))
    parquet_file(tmp_path / "test.parquet", study_rows(400, 500))
    (tmp_path / "README.md").write_text("not data")
    splits = whole(make_task("math500", path=str(tmp_path)))
    found = [number for problems in splits.values() for number in numbers(problems)]
    assert found == list(range(500))
    assert splits["train"][0].prompt == f"What is $0 + \\frac{{1}}{{2}}$? {BOXED}"  # added once


def test_both_layouts_hold_the_same_problems(tmp_path: Path) -> None:
    study = parquet_file(tmp_path / "study.parquet", study_rows(0, 500))
    hub = parquet_file(tmp_path / "hub.parquet", hub_rows(500))
    found = [whole(make_task("math500", path=str(path))) for path in (study, hub)]
    assert found[0] == found[1]


def test_shards_of_one_split_are_read_in_order(tmp_path: Path) -> None:
    for shard in range(2):
        rows = hub_rows(500)[shard * 250 : shard * 250 + 250]
        parquet_file(tmp_path / f"test-0000{shard}-of-00002.parquet", rows)
    file = json_lines(tmp_path.with_suffix(".jsonl"), hub_rows(500))
    one, two = (whole(make_task("math500", path=str(path))) for path in (file, tmp_path))
    assert one == two


def test_edited_file_is_another_task(file: Path) -> None:
    before = make_task("math500", path=str(file)).contents()
    edited = json_lines(file.with_name("edited.jsonl"), hub_rows(499))
    after = make_task("math500", path=str(edited)).contents()
    assert list(before) == ["test.jsonl"]
    assert set(before.values()).isdisjoint(after.values())
    assert make_task("math500").contents() == {}


def test_needs_of_the_hub_are_pinned(file: Path) -> None:
    (need,) = make_task("math500").needs()
    assert (need.repo, need.kind) == ("HuggingFaceH4/MATH-500", "dataset")
    assert need.revision == "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"
    assert need.gigabytes > 0
    assert make_task("math500", path=str(file)).needs() == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"revision": "main"}, "revision: expected a commit of 40 hex digits, got 'main'"),
        ({"revision": 3}, "hex digits, got 3"),
        ({"path": "missing"}, "path: missing: no such folder or file"),
        ({"path": 3}, "path: expected a folder or file, got 3"),
        ({"path": ".", "revision": "0" * 40}, "revision: expected none where a path is given"),
        ({"pth": "."}, "unknown parameter 'pth'; did you mean 'path'"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], expected: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        make_task("math500", **parameters)
    assert expected in str(caught.value)


def test_a_folder_with_two_of_three_splits_is_refused(tmp_path: Path) -> None:
    json_lines(tmp_path / "train.jsonl", hub_rows(3))
    json_lines(tmp_path / "test.jsonl", hub_rows(3))
    with pytest.raises(CrosstalkError, match="all three splits or one table, got train and test"):
        make_task("math500", path=str(tmp_path)).split("train", 1)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"holds no file of \.parquet, \.jsonl"):
        make_task("math500", path=str(tmp_path)).split("train", 1)


def test_columns_that_do_not_fit_are_named(tmp_path: Path) -> None:
    file = json_lines(tmp_path / "test.jsonl", [{"question": "1 + 1", "answer": "2"}])
    message = "the columns problem, answer, unique_id; or prompt, .*, got question, answer"
    with pytest.raises(CrosstalkError, match=message):
        make_task("math500", path=str(file)).split("train", 1)


def test_the_same_problem_twice_is_refused(tmp_path: Path) -> None:
    rows = hub_rows(4)
    rows[2]["problem"] = rows[1]["problem"]
    file = json_lines(tmp_path / "test.jsonl", rows)
    with pytest.raises(CrosstalkError, match=r"have the same prompt"):
        make_task("math500", path=str(file)).split("train", 1)


@pytest.mark.parametrize("size", [0, 301])
def test_a_size_a_split_does_not_have_is_refused(file: Path, size: int) -> None:
    with pytest.raises(CrosstalkError, match=f"train: expected 1 to 300 problems, got {size}"):
        make_task("math500", path=str(file)).split("train", size)
