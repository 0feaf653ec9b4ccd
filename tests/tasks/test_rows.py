import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tasks.files import Rows, json_lines, parquet_file, sums

from benchmark.common.errors import CrosstalkError
from benchmark.tasks.rows import answer, read_table, text

COLUMNS = ("prompt", "answer")


def compressed(path: Path, rows: Rows) -> Path:
    path.write_bytes(
        gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0)
    )
    return path


def comma_separated(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


WRITERS = {
    "t.parquet": parquet_file,
    "t.jsonl": json_lines,
    "t.jsonl.gz": compressed,
    "t.csv": comma_separated,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_holds_the_same_rows(tmp_path: Path, name: str) -> None:
    rows = [*sums(3), {"prompt": 'A "quoted", line\nand é', "answer": "007"}]
    file = WRITERS[name](tmp_path / name, [{**row, "other": "x"} for row in rows])
    assert read_table(file, COLUMNS) == rows


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_nested_columns_are_named_with_a_point(tmp_path: Path, name: str) -> None:
    rows = [{"reward_model": {"ground_truth": "7", "style": "rule"}, "prompt": "p"}]
    file = WRITERS[name](tmp_path / name, rows)
    wanted = ("prompt", "reward_model.ground_truth")
    assert read_table(file, wanted) == [{"prompt": "p", "reward_model.ground_truth": "7"}]


@pytest.mark.parametrize("name", WRITERS)
def test_first_layout_that_fits_is_read(tmp_path: Path, name: str) -> None:
    file = WRITERS[name](tmp_path / name, sums(1))
    assert list(read_table(file, ("question",), ("answer",))[0]) == ["answer"]
    with pytest.raises(CrosstalkError) as caught:
        read_table(file, ("question", "answer"), ("problem",))
    found = "expected the columns question, answer; or problem, got prompt, answer"
    assert str(caught.value) == f"{file}: {found}"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.parquet", b"PAR1 no more", "t.parquet: is damaged: "),
        ("t.jsonl", b'{"prompt": "p"}\n{"prompt": \n', "t.jsonl: line 2: is not JSON: "),
        ("t.jsonl", b"[1]\n", "t.jsonl: line 1: expected an object ({…}), got [1]"),
        ("t.jsonl", b"", "t.jsonl: is damaged: it holds no rows"),
        ("t.jsonl", b'{"prompt": "\xff"}\n', "t.jsonl: is damaged: "),
        ("t.jsonl.gz", b"not compressed", "t.jsonl.gz: cannot be read: "),
        ("t.jsonl.gz", gzip.compress(b"{}\n" * 99, mtime=0)[:-9], "t.jsonl.gz: is damaged: "),
        ("t.csv", b"prompt,answer\np,a,b\n", "t.csv: is damaged: "),
        ("t.csv", b'prompt,answer\n"p,a\n', "t.csv: is damaged: "),
        ("t.txt", b"p", "t.txt: expected a file of .parquet, .jsonl"),
    ],
)
def test_a_damaged_file_is_one_line(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CrosstalkError) as caught:
        read_table(tmp_path / name, COLUMNS)
    assert str(caught.value).startswith(f"{tmp_path}/{expected}")
    assert "\n" not in str(caught.value)


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("prompt,answer\n")
    with pytest.raises(CrosstalkError, match="holds no rows"):
        read_table(tmp_path / "t.csv", COLUMNS)


def test_a_conversation_of_one_user_message_is_its_text() -> None:
    assert text({"p": [{"role": "user", "content": "hi"}]}, "p", "t") == "hi"


@pytest.mark.parametrize(
    "value",
    [None, "", "  ", 3, [], {}, "\ud800", [{"role": "system", "content": "hi"}], [{"content": 1}]],
)
def test_a_prompt_that_is_no_text_is_named_with_its_row(value: Any) -> None:
    with pytest.raises(CrosstalkError, match="t: row 2: column 'p': expected text, or"):
        text({"p": value}, "p", "t: row 2")


@pytest.mark.parametrize(("value", "expected"), [("x", "x"), (7, "7"), (0.5, "0.5")])
def test_an_answer_is_text_or_a_number(value: Any, expected: str) -> None:
    assert answer({"a": value}, "a", "t") == expected


@pytest.mark.parametrize("value", [None, "", True, ["7"], "\udfff", float("nan")])
def test_another_answer_is_refused(value: Any) -> None:
    with pytest.raises(CrosstalkError, match="t: column 'a': expected text or a num"):
        answer({"a": value}, "a", "t")
