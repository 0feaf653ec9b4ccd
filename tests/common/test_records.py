import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.common.records import Record


@dataclass(frozen=True)
class Cooked(Record):
    FILE: ClassVar[str] = "cooked.json"
    MISSING: ClassVar[str] = "not cooked"
    COMMAND: ClassVar[str] = "cook"

    minutes: float


def test_record_reads_back(tmp_path: Path) -> None:
    Cooked("h", 2.5).write(tmp_path)
    assert json.loads((tmp_path / "cooked.json").read_text()) == {"hash": "h", "minutes": 2.5}
    assert Cooked.read(tmp_path, "h") == Cooked.require(tmp_path, "h", "") == Cooked("h", 2.5)


@pytest.mark.parametrize(
    "content",
    ["", '{"hash": "h", "min', "[1]", '{"hash": "h"}', '{"hash": "h", "seconds": 1}', "\0"],
)
def test_a_damaged_record_counts_as_missing(tmp_path: Path, content: str) -> None:
    (tmp_path / "cooked.json").write_text(content)
    assert Cooked.read(tmp_path, "h") is None
    with pytest.raises(CrosstalkError, match="not cooked; run `crosstalk cook eggs` first"):
        Cooked.require(tmp_path, "h", "eggs")


def test_bytes_that_are_no_text_count_as_missing(tmp_path: Path) -> None:
    (tmp_path / "cooked.json").write_bytes(b"\xff\xfe\x00")
    assert Cooked.read(tmp_path, "h") is None


@dataclass(frozen=True)
class Tasted(Cooked):
    FILE: ClassVar[str] = "evaluation.json"


@pytest.mark.parametrize("kept", [None, 0, 3, 0.5, 0.99])
def test_a_record_needs_its_whole_table(tmp_path: Path, kept: float | None) -> None:
    table = tmp_path / "completions.parquet"
    pandas.DataFrame({"text": ["salty"] * 50}).to_parquet(table)
    Tasted("h", 1.0).write(tmp_path)
    assert Tasted.read(tmp_path, "h") is not None
    content = table.read_bytes()
    table.unlink()
    if kept is not None:
        table.write_bytes(content[: kept if isinstance(kept, int) else int(len(content) * kept)])
    assert Tasted.read(tmp_path, "h") is None


@pytest.mark.parametrize("content", [None, "{}", '{"training_hash": "h"}', '{"hash": "other"}'])
def test_other_hash_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cooked.json").write_text(content)
    assert Cooked.read(tmp_path, "h") is None
    with pytest.raises(CrosstalkError, match="not cooked; run `crosstalk cook eggs` first"):
        Cooked.require(tmp_path, "h", "eggs")
