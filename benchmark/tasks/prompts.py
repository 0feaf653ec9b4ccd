"""Tasks whose problems are questions to an assistant, judged by reward models."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from benchmark.common.errors import CrosstalkError
from benchmark.tasks.base import Problem, Split
from benchmark.tasks.data import DataTask
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.splits import Files, Splits, check_apart, cut, required, without

_COLUMNS = Layout("prompt", None, None)


class PromptTask(DataTask):
    """A task that takes each prompt of a data set once; there are no reference answers.

    The test split is the data set's own held-out split; validation is a tenth of the training
    prompts that are not in it, taken away with seed 42.

    Args:
        path: A folder with files of these two splits, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.

    Attributes:
        held_out: What the data set calls the split that is the test split here.
    """

    held_out: ClassVar[Split] = "test"

    def wanted(self, prompt: str) -> bool:
        """Return whether a prompt is taken."""
        return True

    def read(self, files: Files) -> Splits:
        where = f"task {self.name!r}"
        groups = required(files, ["train", self.held_out], where)
        names = {path: name for name, path in files.items()}
        read = {
            split: self._problems({path: names[path] for path in paths})
            for split, paths in groups.items()
        }
        test = without(read[self.held_out], set())
        known = {problem.prompt for problem in test}
        train, validation = cut(without(read["train"], known), 0.1)
        splits: Splits = {"train": train, "validation": validation, "test": cut(test, 0).kept}
        check_apart(splits, where)
        return splits

    def _problems(self, names: Mapping[Path, str]) -> list[Problem]:
        """Return the problems of files, whose ids begin with the files' names."""
        found = [
            Problem(f"{name.removesuffix(path.name)}{each.id}", each.prompt.strip(), "")
            for path, name in names.items()
            for each in read_problems([path], [_COLUMNS], suffix="")
            if self.wanted(each.prompt)
        ]
        if not found:
            told = ", ".join(map(str, names))
            raise CrosstalkError(f"{told}: expected prompts of a single turn, got none")
        return found
