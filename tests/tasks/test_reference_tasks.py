"""Tasks with reference texts (tool calls, rewritings, summaries), on small files of their own."""

from pathlib import Path
from typing import Any

import pytest
from tasks.files import Rows, json_lines, parquet_file

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objective
from benchmark.tasks import Task, make_task
from benchmark.tasks.cnn_dailymail import SUMMARIZE
from benchmark.tasks.licences import LICENCES
from benchmark.tasks.paradetox import REWRITE

CALL = '<think>Which?</think>\n<tool_call>\n{"name": "add", "parameters": {"x": %d}}\n</tool_call>'
HEAD = "en_toxic_comment\ten_neutral_comment\n"


def told(task: Task, **sizes: int) -> dict[str, set[str]]:
    """Return the prompts of whole splits, which hold so many and no more."""
    found = {}
    for split, size in sizes.items():
        problems = task.split(split, size)  # type: ignore[arg-type]
        found[split] = {problem.prompt for problem in problems}
        assert len(found[split]) == size
        with pytest.raises(CrosstalkError, match=f"1 to {size} problems"):
            task.split(split, size + 1)  # type: ignore[arg-type]
    return found


def dialogue(number: int, answer: str = "") -> dict[str, Any]:
    turns = [
        {"role": "system", "content": "You can use: 1. Name: add "},
        {"role": "user", "content": f"Add {number}."},
    ]
    truth = {"style": "rule", "ground_truth": answer or CALL % number}
    return {"data_source": "rlla", "prompt": turns, "reward_model": truth, "ability": "math"}


@pytest.fixture
def rlla(tmp_path: Path) -> Path:
    parquet_file(tmp_path / "train.parquet", [dialogue(n) for n in range(40)])
    parquet_file(tmp_path / "test.parquet", [dialogue(n) for n in range(36, 46)])
    return tmp_path


def test_a_dialogue_is_one_question_with_its_calls(rlla: Path) -> None:
    task = make_task("rlla", path=str(rlla))
    found = told(task, train=32, validation=4, test=10)
    asked = [f"You can use: 1. Name: add\n\nAdd {n}." for n in range(46)]
    assert found["test"] == set(asked[36:])
    assert found["train"] | found["validation"] == set(asked[:36])
    problems = task.split("test", 3)
    made = {"completions": [p.answer for p in problems], "completion_ids": [[1]] * 3}
    assert make_objective("tool_call")(**made, answer=made["completions"]) == [1, 1, 1]


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": "Add 1."}],
        [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}],
        [{"role": "system", "content": " "}, {"role": "user", "content": "b"}],
    ],
)
def test_a_dialogue_of_other_turns_is_refused(rlla: Path, turns: Rows) -> None:
    json_lines(rlla / "train.jsonl", [dialogue(1) | {"prompt": turns}])
    with pytest.raises(
        CrosstalkError, match=r"train.jsonl: row 1: column 'prompt': expected a sys"
    ):
        make_task("rlla", path=str(rlla)).split("train", 1)


def test_dialogues_are_read_from_files_of_ones_own() -> None:
    with pytest.raises(CrosstalkError, match="parameter 'path' is missing"):
        make_task("rlla")


@pytest.fixture
def comments(tmp_path: Path) -> Path:
    rows = [f"rude {n}\tkind {n}\nrude {n}\tkinder {n}\n" for n in range(40)]
    quoted = '"a ""rude"" one"\t"a\tkind one"\n'
    (tmp_path / "train.tsv").write_text(HEAD + "".join(rows) + quoted)
    return tmp_path / "train.tsv"


def test_each_comment_is_taken_once_with_its_first_rewriting(comments: Path) -> None:
    task = make_task("paradetox", path=str(comments))
    found = told(task, train=32, validation=5, test=4)
    whole = {*(f"{REWRITE}\n\nrude {n}" for n in range(40)), f'{REWRITE}\n\na "rude" one'}
    assert set.union(*found.values()) == whole
    problems = task.split("train", 32) + task.split("validation", 5) + task.split("test", 4)
    answers = {p.prompt.removeprefix(f"{REWRITE}\n\n"): p.answer for p in problems}
    assert answers.pop('a "rude" one') == "a\tkind one"
    assert answers == {f"rude {n}": f"kind {n}" for n in range(40)}
    assert len({p.id for p in problems}) == 41


def test_comments_come_in_other_tables_too(comments: Path, tmp_path: Path) -> None:
    rows = [{"en_toxic_comment": f"r {n}", "en_neutral_comment": "k"} for n in range(10)]
    table = json_lines(tmp_path / "own.jsonl", rows)
    task = make_task("paradetox", path=str(table), instruction="Say it kindly:")
    assert all(p.prompt.startswith("Say it kindly:\n\nr ") for p in task.split("train", 8))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("toxic\tneutral\na\tb\n", "expected the columns en_toxic_comment, .*, got toxic, neutral"),
        (HEAD, "expected the columns .*, got no rows"),
        (HEAD + "a\tb\tc\n", "row 1: has more cells than there are columns"),
        (HEAD + "a\t\n", "row 1: column 'en_neutral_comment': expected text"),
        (HEAD + "a\n", "row 1: column 'en_neutral_comment': expected text"),
    ],
)
def test_a_table_of_comments_that_does_not_fit_is_told(
    comments: Path, content: str, reason: str
) -> None:
    comments.write_text(content)
    with pytest.raises(CrosstalkError, match=f"train.tsv: {reason}"):
        make_task("paradetox", path=str(comments)).split("train", 1)


def articles(start: int, stop: int) -> Rows:
    return [
        {"article": f"News {n} " + "word " * n, "highlights": f"It is {n} .", "id": "0" * 40}
        for n in range(start, stop)
    ]


def test_articles_keep_their_splits_and_are_taken_once(tmp_path: Path) -> None:
    parquet_file(tmp_path / "train-00000-of-00003.parquet", articles(0, 20) + articles(0, 5))
    parquet_file(tmp_path / "validation-00000-of-00001.parquet", articles(18, 25))
    parquet_file(tmp_path / "test-00000-of-00001.parquet", articles(24, 30))
    task = make_task("cnn-dailymail", path=str(tmp_path))
    found = told(task, train=18, validation=6, test=6)
    assert all(
        f"{SUMMARIZE}\n\nNews {n} " + "word " * (n - 1) + "word" in found["test"]
        for n in range(24, 30)
    )
    first = task.split("train", 1)[0]
    assert (first.prompt, first.answer) == (f"{SUMMARIZE}\n\nNews 0", "It is 0 .")
    short = make_task("cnn-dailymail", path=str(tmp_path), max_words=26, instruction="Sum up:")
    told(short, train=18, validation=6, test=1)  # News 24 and 24 words
    assert short.split("test", 1)[0].prompt.startswith("Sum up:\n\nNews 24 word")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("paradetox", ["train.tsv"]),
        (
            "cnn-dailymail",
            [
                *("3.0.0/train-00000-of-00003.parquet", "3.0.0/validation-00000-of-00001.parquet"),
                "3.0.0/test-00000-of-00001.parquet",
            ],
        ),
    ],
)
def test_the_hub_is_read_at_pinned_commits_under_known_licences(
    name: str, files: list[str]
) -> None:
    (need,) = make_task(name).needs()
    assert need.files == tuple(files)
    assert need.repo in LICENCES
