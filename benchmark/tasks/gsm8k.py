"""``gsm8k``: word problems of primary school, whose answers are whole numbers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from benchmark.common.parameters import refuse
from benchmark.tasks.base import Problem
from benchmark.tasks.data import BoxedTask
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.splits import Files, Splits, check_apart, cut, required, without

_COLUMNS = Layout("question", "answer", None)
_MARK = "####"  # comes before the answer, after its working


class Gsm8k(BoxedTask):
    """Word problems of `Training Verifiers to Solve Math Word Problems
    <https://arxiv.org/abs/2110.14168>`_.

    The test split is the dataset's own. Validation is a tenth of its training problems, taken away
    with seed 42, unless a folder has files ``val*``. Columns: ``question``, and ``answer``, whose
    answer comes after ``####``.

    Args:
        path: A folder with files ``train*`` and ``test*``, in place of the hub.
        revision: The commit of the hub's repository, which a study has to name.
        suffix: Ends every prompt that does not end so already.
    """

    name: ClassVar[str] = "gsm8k"
    repo: ClassVar[str] = "openai/gsm8k"
    gigabytes: ClassVar[float] = 0.003

    @property
    def hub_files(self) -> tuple[str, ...]:
        return "main/train-00000-of-00001.parquet", "main/test-00000-of-00001.parquet"

    def read(self, files: Files) -> Splits:
        where = f"task {self.name!r}"
        groups = required(files, ["train", "test"], where)
        test = cut(without(self._problems(groups["test"]), set()), 0).kept
        known = {problem.prompt for problem in test}
        if "validation" in groups:
            validation = without(self._problems(groups["validation"]), known)
            train = cut(without(self._problems(groups["train"]), known), 0).kept
        else:
            train, validation = cut(without(self._problems(groups["train"]), known), 0.1)
        splits: Splits = {"train": train, "validation": validation, "test": test}
        check_apart(splits, where)
        return splits

    def _problems(self, paths: Sequence[Path]) -> list[Problem]:
        read = read_problems(paths, [_COLUMNS], self.suffix)
        return [replace(problem, answer=_final(problem)) for problem in read]


def _final(problem: Problem) -> str:
    _, mark, final = problem.answer.rpartition(_MARK)
    if not mark or not final.strip():
        expected = f"the working, then {_MARK} and the answer"
        refuse(f"{problem.id}: column 'answer'", expected, problem.answer[-40:])
    return final.strip().replace(",", "")
