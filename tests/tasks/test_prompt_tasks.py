"""Data sets of questions to an assistant, on small files with the same columns."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from studies import load_study, make_root
from tasks.files import Rows, json_lines, parquet_file

from benchmark.commands.check import report
from benchmark.common.errors import CrosstalkError
from benchmark.study.costs import Assumptions
from benchmark.tasks import TASKS, make_task
from benchmark.tasks.licences import LICENCES
from benchmark.tasks.prompts import PromptTask

PINNED = [cls for cls in TASKS.values() if issubclass(cls, PromptTask)]


def zipped(path: Path, rows: Rows) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def write(folder: Path, name: str) -> Path:
    """Write 40 prompts twice each to train on, 10 of them in the test too, and 5 new ones."""
    asked = [f"Question {n}?" for n in range(40)]
    train, test = [*asked, *asked], [*asked[:10], *(f"New {n}?" for n in range(5))]
    if name == "pku-saferlhf":
        for source in ("Alpaca-7B", "Alpaca2-7B"):
            (folder / source).mkdir()
            for part, prompts in (("train", train), ("test", test)):
                rows = [{"prompt": p, "response_0": "a", "better_response_id": 0} for p in prompts]
                json_lines(folder / source / f"{part}.jsonl", rows)
    elif name == "helpsteer2":
        several = "How?\n<extra_id_1>Assistant\nSo.\n<extra_id_1>User\nWhy?"
        for part, prompts in (("train", [*train, several]), ("validation", test)):
            rows = [{"prompt": p, "response": "a", "helpfulness": 4} for p in prompts]
            zipped(folder / f"{part}.jsonl.gz", rows)
    else:
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}]
        for part, prompts in (("train", train), ("test", test)):
            rows = [{"prompt": p, "prompt_id": "0", "chosen": turns} for p in prompts]
            parquet_file(folder / f"{part}_prefs-00000-of-00001.parquet", rows)
    return folder


@pytest.mark.parametrize("name", [cls.name for cls in PINNED])
def test_each_prompt_is_taken_once_and_none_of_the_test_is_trained_on(
    name: str, tmp_path: Path
) -> None:
    task = make_task(name, path=str(write(tmp_path, name)))
    sizes: dict[Any, int] = {"train": 27, "validation": 3, "test": 15}
    splits = {split: task.split(split, size) for split, size in sizes.items()}
    prompts = {split: {p.prompt for p in problems} for split, problems in splits.items()}
    assert {split: len(each) for split, each in prompts.items()} == sizes
    tested = {f"Question {n}?" for n in range(10)} | {f"New {n}?" for n in range(5)}
    assert prompts["test"] == tested
    assert prompts["train"] | prompts["validation"] == {f"Question {n}?" for n in range(10, 40)}
    assert {p.answer for problems in splits.values() for p in problems} == {""}
    assert len({p.id for problems in splits.values() for p in problems}) == 45
    for split, size in sizes.items():
        with pytest.raises(CrosstalkError, match=f"1 to {size} problems"):
            task.split(split, size + 1)
    again = make_task(name, path=str(tmp_path))
    assert again.split("train", 27) == splits["train"]


@pytest.mark.parametrize("name", [cls.name for cls in PINNED])
def test_the_hubs_files_are_of_the_splits_that_are_read(name: str) -> None:
    (need,) = make_task(name).needs()
    assert need.revision == TASKS[name].pinned  # type: ignore[attr-defined]
    names = [Path(file).name for file in need.files]
    held_out = "val" if name == "helpsteer2" else "test"
    assert all(each.startswith(("train", held_out)) for each in names)
    assert {each[:3] for each in names} == {"tra", held_out[:3]}
    assert need.repo in LICENCES


def test_prompts_keep_the_names_of_their_files(tmp_path: Path) -> None:
    task = make_task("pku-saferlhf", path=str(write(tmp_path, "pku-saferlhf")))
    ids = {problem.id for problem in task.split("test", 15)}
    assert "Alpaca-7B/test.jsonl:1" in ids


def test_conversations_alone_are_no_prompts(tmp_path: Path) -> None:
    zipped(tmp_path / "train.jsonl.gz", [{"prompt": "a <extra_id_1>User b"}])
    zipped(tmp_path / "validation.jsonl.gz", [{"prompt": "New?"}])
    with pytest.raises(CrosstalkError, match=r"train.jsonl.gz: expected prompts of a single turn"):
        make_task("helpsteer2", path=str(tmp_path)).split("train", 1)


def test_check_says_what_is_not_for_commercial_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = make_root(tmp_path)

    def warned(task: dict[str, Any]) -> list[str]:
        sizes = {"train": 16, "validation": 1, "test": 1}
        study = load_study(root, task=task | sizes, training={"prompts_per_step": 4})
        return [line for line in report(study, Assumptions()) if "commercial" in line]

    (line,) = warned({"name": "pku-saferlhf"})
    assert line == (
        "warning: workflow/studies/lab.yaml: task pku-saferlhf: PKU-Alignment/PKU-SafeRLHF is "
        "under cc-by-nc-4.0: not for commercial use"
    )
    assert warned({"name": "helpsteer2"}) == []
    (tmp_path / "own").mkdir()
    assert (
        warned({"name": "pku-saferlhf", "path": str(write(tmp_path / "own", "pku-saferlhf"))}) == []
    )
