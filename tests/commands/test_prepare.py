import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub import COMMIT, Hub, connect, serving
from huggingface_hub import constants
from studies import STUDY, load_study, make_root, write_study

from benchmark.commands.prepare import prepare_task
from benchmark.common.errors import CrosstalkError
from benchmark.common.hub import missing
from benchmark.study import check
from benchmark.study import load_study as load

FILE = "HuggingFaceH4/MATH-500/test.jsonl"
TASK = {"name": "math500", "revision": COMMIT, "train": 300, "validation": 100, "test": 100}


def content(rows: int = 500, **renamed: str) -> bytes:
    """Return the file of the hub with problems of our own, some columns renamed."""
    names = {name: renamed.get(name, name) for name in ("problem", "answer", "unique_id")}
    lines = []
    for number in range(rows):
        row = {"problem": f"{number} + 1", "answer": f"{number + 1}", "unique_id": f"{number}"}
        lines.append(json.dumps({names[name]: value for name, value in row.items()}))
    return "\n".join(lines).encode()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(Hub({FILE: content()})) as served:
        connect(served, monkeypatch)
        yield served


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return make_root(tmp_path / "project")


def test_a_prepared_task_works_offline(
    root: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = load_study(root, task=TASK)
    assert missing(study.task.needs()) == study.task.needs()
    prepare_task(study)
    assert hub.asked == [f"/datasets/HuggingFaceH4/MATH-500/resolve/{COMMIT}/test.jsonl"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    again = load(STUDY, root)
    assert missing(again.task.needs()) == []
    prepare_task(again)
    assert len(again.task.split("train", 300)) == 300
    assert again.cells[0].hash == study.cells[0].hash
    assert len(hub.asked) == 1


@pytest.mark.parametrize(
    ("served", "changes", "expected"),
    [
        (content(problem="question"), {}, "test.jsonl: expected the columns problem, answer, un"),
        (content(), {"train": 301}, "task.train: task 'math500': train: expected 1 to 300"),
        (b"<html>", {}, "test.jsonl: line 1: is not JSON"),
    ],
)
def test_data_that_do_not_fit_are_refused_when_they_are_prepared(
    root: Path, hub: Hub, served: bytes, changes: dict[str, Any], expected: str
) -> None:
    hub.files[FILE] = served
    study = load_study(root, task=TASK | changes)
    with pytest.raises(CrosstalkError) as caught:
        prepare_task(study)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    write_study(root, task=TASK | changes)
    with pytest.raises(CrosstalkError):  # from now on the study itself is refused
        check(load(STUDY, root))


def test_a_gated_task_is_told_when_it_is_prepared(root: Path, hub: Hub) -> None:
    hub.gated.add("HuggingFaceH4/MATH-500")
    with pytest.raises(CrosstalkError, match="it is gated: accept its terms at"):
        prepare_task(load_study(root, task=TASK))
