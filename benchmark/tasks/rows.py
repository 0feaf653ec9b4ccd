"""Read problems from the rows of Parquet, JSON lines and CSV files, by the names of their columns.

The readers of the library ``datasets`` guess types, and so change what an answer is marked against:
``007`` of a CSV file becomes 7 and ``NA`` nothing, ``2020-01-01`` of JSON a date, ``7`` beside
``0.5`` becomes 7.0; a CSV row with a cell too many shifts its columns. Hence the standard library.
"""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import is_number, refuse
from benchmark.tasks.base import Problem

Row = dict[str, Any]
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".csv")


class Layout(NamedTuple):
    """The columns that hold the parts of a problem; None where there is none.

    A nested column is named with a point: ``reward_model.ground_truth``.
    """

    prompt: str
    answer: str | None
    id: str | None

    @property
    def columns(self) -> list[str]:
        """The names of those there are."""
        return list(dict.fromkeys(column for column in self if column is not None))


def is_table(path: Path) -> bool:
    """Return whether a file is of a kind that can be read."""
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".")


def read_problems(paths: Sequence[Path], layouts: Sequence[Layout], suffix: str) -> list[Problem]:
    """Return the problems of files, in order; of each file by the first layout that fits.

    The suffix ends every prompt that does not end so already.
    """
    return [problem for path in paths for problem in _of_file(path, layouts, suffix)]


def _of_file(path: Path, layouts: Sequence[Layout], suffix: str) -> Iterator[Problem]:
    by_columns = {tuple(layout.columns): layout for layout in layouts}
    for number, row in enumerate(read_table(path, *by_columns), start=1):
        layout, where = by_columns[tuple(row)], f"{path}: row {number}"
        own_id = f"{path.name}:{number}"
        yield Problem(
            id=own_id if layout.id is None else answer(row, layout.id, where),
            prompt=_with_suffix(text(row, layout.prompt, where), suffix),
            answer="" if layout.answer is None else answer(row, layout.answer, where),
        )


def _with_suffix(prompt: str, suffix: str) -> str:
    return prompt if not suffix or prompt.endswith(suffix) else f"{prompt} {suffix}"


def read_table(path: Path, *layouts: Sequence[str]) -> list[Row]:
    """Return the rows of a file, each with the columns of the first layout that the file has."""
    import pyarrow

    if not is_table(path):
        raise CrosstalkError(f"{path}: expected a file of {', '.join(SUFFIXES)}")
    try:
        if path.suffix == ".parquet":
            return _parquet(path, layouts)
        rows = _csv(path) if path.suffix == ".csv" else _json_lines(path)
        return _chosen(path, list(rows), layouts)
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except CrosstalkError:
        raise
    except (ValueError, EOFError, csv.Error, pyarrow.ArrowException) as error:
        raise CrosstalkError(f"{path}: is damaged: {error}") from error


def text(row: Row, column: str, where: str) -> str:
    """Return a cell that holds text, or a conversation of one message by the user."""
    value = row[column]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("content") if value[0].get("role") == "user" else value
    if not _is_text(value):
        expected = "text, or a conversation of one user message"
        refuse(f"{where}: column {column!r}", expected, row[column])
    return str(value)


def answer(row: Row, column: str, where: str) -> str:
    """Return a cell that holds text or a number, as text; NaN is how a table writes nothing."""
    value = row[column]
    if not is_number(value) and not _is_text(value):
        refuse(f"{where}: column {column!r}", "text or a number", value)
    return str(value)


def _is_text(value: object) -> bool:
    """Return whether a value is text that is not blank, without lone surrogates: no tokens."""
    if not isinstance(value, str) or not value.strip():
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _parquet(path: Path, layouts: Sequence[Sequence[str]]) -> list[Row]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        nested = [inner.name for field in file.schema_arrow for inner in field.flatten()]
        columns = _fitting(path, {*names, *nested}, names, layouts)
        outer = [column if column in names else column.partition(".")[0] for column in columns]
        rows = file.read(columns=outer).to_pylist()
    return [{column: _cell(row, column) for column in columns} for row in rows]


def _json_lines(path: Path) -> Iterator[Row]:
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise CrosstalkError(f"{path}: line {number}: is not JSON: {error}") from error
            if not isinstance(row, dict):
                refuse(f"{path}: line {number}", "an object ({…})", row)
            yield row


def _csv(path: Path) -> Iterator[Row]:
    with _opened(path) as stream:
        for row in csv.DictReader(stream, strict=True):
            if None in row:  # where DictReader puts what no column is named for
                raise ValueError(f"row {row} has more cells than there are columns")
            yield row


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8-sig", newline="")  # spreadsheets write a byte order mark


def _chosen(path: Path, rows: list[Row], layouts: Sequence[Sequence[str]]) -> list[Row]:
    if not rows:
        raise ValueError("it holds no rows")
    names = list(rows[0])
    nested = {column for layout in layouts for column in layout if _cell(rows[0], column)}
    columns = _fitting(path, {*names, *nested}, names, layouts)
    return [{column: _cell(row, column) for column in columns} for row in rows]


def _fitting(
    path: Path, found: set[str], names: Sequence[str], layouts: Sequence[Sequence[str]]
) -> Sequence[str]:
    for layout in layouts:
        if found.issuperset(layout):
            return layout
    expected = "; or ".join(", ".join(layout) for layout in layouts)
    raise CrosstalkError(f"{path}: expected the columns {expected}, got {', '.join(names)}")


def _cell(row: Row, column: str) -> Any:
    """Return a cell by its column's name, None if the row lacks it."""
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
