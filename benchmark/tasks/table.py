"""``table``: any file or folder of the user's with a column of prompts."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from benchmark.common.parameters import choice, integer, is_number, refuse, text
from benchmark.tasks.base import Problem
from benchmark.tasks.data import DataTask
from benchmark.tasks.rows import Layout, read_problems, read_table
from benchmark.tasks.splits import SEED, Files, Splits, check_apart, given_or_cut


class Table(DataTask):
    """The user's own problems, from Parquet, JSON lines (also ``.gz``) or CSV.

    A folder with files ``train*``, ``val*`` and ``test*`` is taken as it is cut, and so is a table
    that names each row's split. Any other table is cut at random, the same way at every reading.

    Args:
        path: The file, or a folder with files ``train*``, ``val*`` and ``test*``.
        prompt: The column of prompts; a nested one is named with a point, ``question.text``.
        answer: The column of reference answers, text or numbers; None where no objective needs
            one.
        id: The column of ids; None for file and row.
        split: The column that says ``train``, ``validation`` or ``test``.
        suffix: Ends every prompt that does not end so already.
        held_out: The share of a table that is held out, half for validation, half for the test.
        seed: Of that cut.
    """

    name: ClassVar[str] = "table"

    def __init__(
        self,
        *,
        path: str,
        prompt: str = "prompt",
        answer: str | None = "answer",
        id: str | None = None,
        split: str | None = None,
        suffix: str = "",
        held_out: float = 0.4,
        seed: int = SEED,
    ) -> None:
        super().__init__(path=text("path", path, "a folder or file"))
        for key, column in {"answer": answer, "id": id, "split": split}.items():
            if column is not None:
                text(key, column, "a column's name")
        if not is_number(held_out) or not 0 < held_out < 1:
            refuse("held_out", "a share above 0 and below 1", held_out)
        self.layout = Layout(text("prompt", prompt, "a column's name"), answer, id)
        self.split_column, self.suffix = split, text("suffix", suffix)
        self.held_out, self.seed = held_out, integer("seed", seed, minimum=0)

    def read(self, files: Files) -> Splits:
        read = partial(read_problems, layouts=[self.layout], suffix=self.suffix)
        where = f"task {self.name!r}: {self.path}"
        if self.split_column is None:
            return given_or_cut(files, read, self.held_out, where, self.seed)
        paths = list(files.values())
        splits = _by_name(read(paths), _names(paths, self.split_column), self.split_column, where)
        check_apart(splits, where)
        return splits


def _names(paths: Sequence[Path], column: str) -> list[object]:
    return [row[column] for path in paths for row in read_table(path, [column])]


def _by_name(
    problems: Sequence[Problem], names: Sequence[object], column: str, where: str
) -> Splits:
    parts: dict[str, list[Problem]] = {"train": [], "validation": [], "test": []}
    for problem, name in zip(problems, names, strict=True):
        parts[choice(f"{where}: {problem.id!r}: column {column!r}", name, parts)].append(problem)
    return {"train": parts["train"], "validation": parts["validation"], "test": parts["test"]}
