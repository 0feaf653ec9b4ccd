"""MATH-500 itself, where its files are: ``CROSSTALK_MATH500``, or ``../shared/data/math500``."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from benchmark.common.paths import PACKAGE
from benchmark.objectives import make_objectives
from benchmark.tasks import Problem, make_task
from benchmark.tasks.data import BOXED

BESIDE = PACKAGE.parents[1] / "shared" / "data" / "math500"
FOLDER = Path(os.environ.get("CROSSTALK_MATH500", BESIDE))
SIZES = {"train": 300, "validation": 100, "test": 100}
FIRST = [  # of the hub's file at the pinned revision
    "test/precalculus/807.json",
    "test/intermediate_algebra/1994.json",
    "test/algebra/2584.json",
    "test/number_theory/572.json",
    "test/algebra/1349.json",
    "test/prealgebra/1622.json",
    "test/number_theory/515.json",
    "test/precalculus/927.json",
]

pytestmark = pytest.mark.skipif(
    not (FOLDER / "train.parquet").is_file(), reason=f"no files of MATH-500 in {FOLDER}"
)


def whole(path: Path) -> dict[str, list[Problem]]:
    task = make_task("math500", path=str(path))
    return {split: task.split(split, size) for split, size in SIZES.items()}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def solutions() -> dict[str, str]:
    """The 500 solutions by the id of their problem."""
    rows = [
        row
        for name in ("train", "val", "test")
        for row in parquet.read_table(FOLDER / f"{name}.parquet").to_pylist()
    ]
    return {row["unique_id"]: row["solution"] for row in rows}


def test_the_studys_files_have_500_problems_and_share_none() -> None:
    splits = whole(FOLDER)
    assert len({p.id for problems in splits.values() for p in problems}) == 500
    for problem in (p for problems in splits.values() for p in problems):
        assert problem.prompt.endswith(BOXED)
        assert problem.prompt.count(BOXED) == 1


def test_the_hubs_file_is_cut_into_the_studys_splits(tmp_path: Path) -> None:
    """Undo the cut by its formula; that this gives the hub's order shows that it is the study's."""
    splits = whole(FOLDER)
    first, second = (np.random.default_rng(42).permutation(size) for size in (500, 200))
    hub: dict[int, Problem] = dict(zip(first[200:], splits["train"], strict=True))
    hub |= zip(first[second[100:]], splits["test"], strict=True)
    hub |= zip(first[second[:100]], splits["validation"], strict=True)
    rows = [
        {"problem": p.prompt.removesuffix(f" {BOXED}"), "answer": p.answer, "unique_id": p.id}
        for p in (hub[place] for place in range(500))
    ]
    assert [row["unique_id"] for row in rows[: len(FIRST)]] == FIRST
    file = tmp_path / "test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert whole(file) == splits


def scores(answers: list[str], found: list[str]) -> list[float]:
    (accuracy,) = make_objectives(["accuracy"])
    ids = [[1]] * len(found)
    return accuracy(completions=found, completion_ids=ids, answer=answers)


def test_the_solutions_own_boxes_are_right(solutions: dict[str, str]) -> None:
    problems = [p for problems in whole(FOLDER).values() for p in problems]
    right = scores([p.answer for p in problems], [solutions[p.id] for p in problems])
    assert sum(right) == 500


def test_answers_written_otherwise_are_right() -> None:
    answers = [problem.answer for problems in whole(FOLDER).values() for problem in problems]
    written = [answer.replace(r"\frac", r"\tfrac") + r"\," for answer in answers]
    right = scores(answers, [rf"\boxed{{{each}}}" for each in written])
    assert sum(right) == 500


def test_other_answers_are_wrong() -> None:
    answers = [problem.answer for problems in whole(FOLDER).values() for problem in problems]
    for number in (r"\d+", r"\d+(?!.*\d)"):  # the first, and the last
        others = [re.sub(number, lambda n: f"{int(n[0]) + 1}", each, count=1) for each in answers]
        changed = [pair for pair in zip(answers, others, strict=True) if pair[0] != pair[1]]
        assert len(changed) == 489
        boxed = [rf"\boxed{{{other}}}" for _, other in changed]
        assert sum(scores([answer for answer, _ in changed], boxed)) == 0
    assert sum(scores(answers, [rf"\boxed{{{answer} + 1}}" for answer in answers])) == 0
