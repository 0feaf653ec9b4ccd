"""Problems from the rows of tables, and tables into splits."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.common.errors import CrosstalkError
from benchmark.tasks.base import Problem
from benchmark.tasks.data import Files, by_split
from benchmark.tasks.splitting import SEED, Splits, check_apart, cut
from benchmark.tasks.tables import answer, read_table, text

Read = Callable[[Sequence[Path]], list[Problem]]


class Layout(NamedTuple):
    """The columns that hold the parts of a problem; None where there is none."""

    prompt: str
    answer: str | None
    id: str | None

    @property
    def columns(self) -> list[str]:
        """The names of those there are."""
        return list(dict.fromkeys(column for column in self if column is not None))


def read_problems(paths: Sequence[Path], layouts: Sequence[Layout], suffix: str) -> list[Problem]:
    """Return the problems of files, in order.

    Args:
        paths: The files.
        layouts: What their columns may be called; of each file, the first that fits is read.
        suffix: Ends every prompt that does not end so already.

    Raises:
        CrosstalkError: A file does not hold them.
    """
    return [problem for path in paths for problem in _of_file(path, layouts, suffix)]


def _of_file(path: Path, layouts: Sequence[Layout], suffix: str) -> Iterator[Problem]:
    by_columns = {tuple(layout.columns): layout for layout in layouts}
    for number, row in enumerate(read_table(path, *by_columns), start=1):
        layout, where = by_columns[tuple(row)], f"{path}: row {number}"
        own_id = f"{path.name}:{number}"
        yield Problem(
            id=own_id if layout.id is None else answer(row, layout.id, where),
            prompt=with_suffix(text(row, layout.prompt, where), suffix),
            answer="" if layout.answer is None else answer(row, layout.answer, where),
        )


def with_suffix(prompt: str, suffix: str) -> str:
    """Return the prompt ending in the suffix, after a blank, unless it ends so already."""
    return prompt if not suffix or prompt.endswith(suffix) else f"{prompt} {suffix}"


def given_or_cut(files: Files, read: Read, held_out: float, where: str, seed: int = SEED) -> Splits:
    """Return the splits of files that are called after them, else those of one table, cut.

    Args:
        files: Either some of each, ``train*``, ``val*`` and ``test*``, or the parts of one table.
        read: Reads the problems of files.
        held_out: The share of a table that is held out, half for validation, half for the test.
        where: Begins a message.
        seed: Of the cut.

    Raises:
        CrosstalkError: Files of one split are missing, or problems come twice.
    """
    groups = by_split(files)
    if len(groups) == 2:
        found = " and ".join(groups)
        raise CrosstalkError(f"{where}: files of {found} found, wanted: all three or one table")
    if len(groups) == 3:
        splits = {split: read(paths) for split, paths in groups.items()}
    else:
        train, rest = cut(read(list(files.values())), held_out, seed)
        test, validation = cut(rest, 0.5, seed)
        splits = {"train": train, "validation": validation, "test": test}
    check_apart(splits, where)
    return splits
