import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

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


@pytest.mark.parametrize("content", [None, "{}", '{"training_hash": "h"}', '{"hash": "other"}'])
def test_other_hash_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cooked.json").write_text(content)
    assert Cooked.read(tmp_path, "h") is None
    with pytest.raises(CrosstalkError, match="not cooked; run `crosstalk cook eggs` first"):
        Cooked.require(tmp_path, "h", "eggs")
