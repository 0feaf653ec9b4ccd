import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import make_task

SUBSETS = ("helpful-base", "harmless-base")


def dialogue(*turns: str) -> str:
    roles = ("Human", "Assistant") * len(turns)
    return "".join(f"\n\n{role}: {turn}" for role, turn in zip(roles, turns, strict=False))


def write(file: Path, chosen: list[str]) -> None:
    file.parent.mkdir(exist_ok=True)
    lines = [json.dumps({"chosen": text, "rejected": text}) + "\n" for text in chosen]
    file.write_bytes(gzip.compress("".join(lines).encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for subset in SUBSETS:
        asked = [dialogue(f"{subset} {n} ?", f"Reply {n}.") for n in range(20)]
        long = dialogue("How ?", "So.", "Why ?", "Thus.")
        write(tmp_path / subset / "train.jsonl.gz", [*asked, asked[0], long])
        write(
            tmp_path / subset / "test.jsonl.gz", [*asked[-2:], dialogue(f"New {subset} ?", "Yes.")]
        )
    return tmp_path


def test_single_turns_become_prompts_once(
    folder: Path,
) -> None:
    task = make_task("hh-rlhf", path=str(folder))
    sizes = {"train": 32, "validation": 4, "test": 6}  # 18 new ones of each subset
    splits: Any = {split: task.split(split, size) for split, size in sizes.items()}  # type: ignore[arg-type]
    prompts = [p.prompt for problems in splits.values() for p in problems]
    assert len(set(prompts)) == 42
    assert {f"{subset} {n} ?" for subset in SUBSETS for n in (18, 19)} <= {
        p.prompt for p in splits["test"]
    }
    (problem,) = [
        p for p in splits["train"] + splits["validation"] if p.prompt == "helpful-base 3 ?"
    ]
    assert problem.answer == "Reply 3."
    assert problem.id == "helpful-base/train.jsonl.gz:4"


def test_subsets_are_mixed_in_every_split(folder: Path) -> None:
    problems = make_task("hh-rlhf", path=str(folder)).split("train", 12)
    assert {p.id.partition("/")[0] for p in problems} == set(SUBSETS)


def test_one_subset_alone_needs_only_its_files(folder: Path) -> None:
    task = make_task("hh-rlhf", path=str(folder), subsets=["harmless-base"])
    assert {p.prompt[:8] for p in task.split("train", 16)} == {"harmless"}
    (need,) = make_task("hh-rlhf", subsets=["harmless-base"]).needs()
    assert need.files == ("harmless-base/train.jsonl.gz", "harmless-base/test.jsonl.gz")
    assert need.revision == "09be8c5bbc57cb3887f3a9732ad6aa7ec602a1fa"


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        (["harmles-base"], "subsets: unknown name 'harmles-base'; did you mean 'harmless-base'"),
        ("helpful-base", "subsets: expected a list of some of"),
        ([], "subsets: expected a list"),
    ],
)
def test_wrong_subsets_are_named(subsets: Any, expected: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        make_task("hh-rlhf", subsets=subsets)
    assert expected in str(caught.value)


def test_a_file_without_dialogues_is_refused(folder: Path) -> None:
    write(folder / "helpful-base" / "test.jsonl.gz", ["no dialogue"])
    with pytest.raises(CrosstalkError, match="dialogues of a Human's question"):
        make_task("hh-rlhf", path=str(folder)).split("train", 1)


def test_a_missing_subset_is_named(folder: Path) -> None:
    (folder / "harmless-base" / "test.jsonl.gz").unlink()
    with pytest.raises(CrosstalkError, match=r"'hh-rlhf': harmless-base: .*, got harmless-base/"):
        make_task("hh-rlhf", path=str(folder)).split("train", 1)
