r"""``math``: the whole MATH benchmark, 7,500 competition problems to train on and 5,000 to test."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from benchmark.common.parameters import refuse
from benchmark.tasks.base import Problem
from benchmark.tasks.data import BoxedTask
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.splits import Files, Splits, check_apart, cut, required, without

_COLUMNS = Layout("problem", "solution", None)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BARE = re.compile(r"[^\s$.,;{}]+")


class MathLighteval(BoxedTask):
    r"""Problems of `Measuring Mathematical Problem Solving With the MATH Dataset
    <https://arxiv.org/abs/2103.03874>`_.

    The answer is what the last ``\boxed{…}`` of the solution holds. The test split is the
    benchmark's own, and MATH-500 is a part of it: training problems that are in the test file, word
    for word, are left out, so none of MATH-500 is trained on. Validation is a tenth of the training
    problems, taken away with seed 42. Columns: ``problem`` and ``solution``.

    Args:
        path: A folder with files ``train*`` and ``test*``, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.
        suffix: Ends every prompt that does not end so already.
    """

    name: ClassVar[str] = "math"
    repo: ClassVar[str] = "DigitalLearningGmbH/MATH-lighteval"
    gigabytes: ClassVar[float] = 0.005
    pinned: ClassVar[str | None] = "0530c78699ea5e8eb5530600900e1f328b48acad"

    @property
    def hub_files(self) -> tuple[str, ...]:
        return tuple(f"data/{part}-00000-of-00001.parquet" for part in ("train", "test"))

    def read(self, files: Files) -> Splits:
        where = f"task {self.name!r}"
        groups = required(files, ["train", "test"], where)
        test = without(self._problems(groups["test"]), set())
        known = {problem.prompt for problem in test}
        train, validation = cut(without(self._problems(groups["train"]), known), 0.1)
        splits: Splits = {"train": train, "validation": validation, "test": cut(test, 0).kept}
        check_apart(splits, where)
        return splits

    def _problems(self, paths: Sequence[Path]) -> list[Problem]:
        read = read_problems(paths, [_COLUMNS], self.suffix)
        return [replace(problem, answer=_answer(problem)) for problem in read]


def _answer(problem: Problem) -> str:
    r"""Return what the last box of a solution holds; ``\boxed 7`` is one too."""
    solution = problem.answer
    held = [_held(solution, found.end()) for found in _BOX.finditer(solution)]
    filled = [text for text in held if text]
    if not filled:
        refuse(f"{problem.id}: column 'solution'", "a solution with \\boxed{…}", solution[-40:])
    return filled[-1]


def _held(text: str, start: int) -> str:
    """Return what stands in the braces that open at a place, or the word there; else nothing."""
    if not text.startswith("{", start):
        bare = _BARE.match(text, start)
        return bare[0] if bare else ""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[start + 1 : brace.start()].strip()
    return ""
