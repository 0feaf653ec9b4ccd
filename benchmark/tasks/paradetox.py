"""``paradetox``: rude comments to be rewritten politely."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import text
from benchmark.tasks.base import Problem
from benchmark.tasks.data import DataTask
from benchmark.tasks.rows import Row, read_table
from benchmark.tasks.rows import text as cell
from benchmark.tasks.splits import Files, Splits, check_apart, cut, without

_TOXIC, _NEUTRAL = "en_toxic_comment", "en_neutral_comment"
REWRITE = "Rewrite this comment so that it is no longer toxic and still says the same:"


class ParaDetox(DataTask):
    """Comments of `ParaDetox: Detoxification with Parallel Data
    <https://aclanthology.org/2022.acl-long.469/>`_.

    Rows pair a toxic comment with a neutral rewriting; a comment with several stands in several
    rows. Each comment is taken once, with its first rewriting as the answer. The data set has one
    split: a fifth of the comments is taken away with seed 42, half for validation and half for the
    test. Columns: ``en_toxic_comment`` and ``en_neutral_comment``. The file is read as the library
    ``datasets`` reads it: separated by tabs, a cell in quotes where it holds some.

    Args:
        path: A file with these columns, ``.tsv`` or another table, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.
        instruction: What stands before the comment; the wording is ours.
    """

    name: ClassVar[str] = "paradetox"
    repo: ClassVar[str] = "s-nlp/paradetox"
    gigabytes: ClassVar[float] = 0.002
    pinned: ClassVar[str | None] = "93a90090fa1697206d72b408c05615639483af14"

    def __init__(
        self,
        *,
        path: str | None = None,
        revision: str | None = None,
        instruction: str = REWRITE,
    ) -> None:
        super().__init__(path=path, revision=revision)
        self.instruction = text("instruction", instruction)

    @property
    def hub_files(self) -> tuple[str, ...]:
        return ("train.tsv",)

    def read(self, files: Files) -> Splits:
        comments = without((each for path in files.values() for each in self._of(path)), set())
        train, rest = cut(comments, 0.2)
        test, validation = cut(rest, 0.5)
        splits: Splits = {"train": train, "validation": validation, "test": test}
        check_apart(splits, f"task {self.name!r}")
        return splits

    def _of(self, path: Path) -> Iterator[Problem]:
        rows = _tabs(path) if path.suffix == ".tsv" else read_table(path, [_TOXIC, _NEUTRAL])
        for number, row in enumerate(rows, start=1):
            where = f"{path}: row {number}"
            prompt = f"{self.instruction}\n\n{cell(row, _TOXIC, where).strip()}"
            yield Problem(f"{path.name}:{number}", prompt, cell(row, _NEUTRAL, where).strip())


def _tabs(path: Path) -> list[Row]:
    """Return the rows of a file whose cells are separated by tabs."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows: list[Row] = list(csv.DictReader(stream, delimiter="\t"))
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise CrosstalkError(f"{path}: is damaged: {error}") from error
    if not rows or not {_TOXIC, _NEUTRAL} <= rows[0].keys():
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise CrosstalkError(f"{path}: expected the columns {_TOXIC}, {_NEUTRAL}, got {found}")
    for number, row in enumerate(rows, start=1):
        if None in row:  # where DictReader puts what no column is named for
            raise CrosstalkError(f"{path}: row {number}: has more cells than there are columns")
    return rows
