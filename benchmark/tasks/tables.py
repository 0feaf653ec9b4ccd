"""Rows of a file, Parquet, JSON lines or CSV, with the columns that are wanted."""

import csv
import gzip
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from benchmark.common.errors import CrosstalkError

Row = dict[str, Any]
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".csv")
_SHOWN = 60  # characters of a wrong value that a message repeats


def is_table(path: Path) -> bool:
    """Return whether a file is of a kind that can be read."""
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".")


def read_table(path: Path, *layouts: Sequence[str]) -> list[Row]:
    """Return the rows of a file, each with the columns of the first layout that the file has.

    A column of a nested value is named with a point: ``reward_model.ground_truth``.

    Raises:
        CrosstalkError: The file cannot be read, is damaged, or has the columns of no layout.
    """
    import pyarrow

    if not is_table(path):
        allowed = ", ".join(SUFFIXES)
        raise CrosstalkError(f"{path}: not a file that can be read, allowed: {allowed}")
    try:
        if path.suffix == ".parquet":
            return _parquet(path, layouts)
        rows = _csv(path) if path.suffix == ".csv" else _json_lines(path)
        return _chosen(path, list(rows), layouts)
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, csv.Error, pyarrow.ArrowException) as error:
        raise CrosstalkError(f"{path}: is damaged: {error}") from error


def text(row: Row, column: str, where: str) -> str:
    """Return a cell that holds text, or a conversation of one message by the user.

    Raises:
        CrosstalkError: It holds something else, or nothing.
    """
    value = row[column]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("content") if value[0].get("role") == "user" else value
    if not isinstance(value, str) or not value.strip() or not _encodable(value):
        raise _wrong(where, column, row[column], "text, or a conversation of one user message")
    return value


def answer(row: Row, column: str, where: str) -> str:
    """Return a cell that holds text or a number, as text.

    Raises:
        CrosstalkError: It holds something else, or nothing.
    """
    value = row[column]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value):  # NaN is how a table writes that nothing is there
        return str(value)
    if not isinstance(value, str) or not value.strip() or not _encodable(value):
        raise _wrong(where, column, value, "text or a number")
    return value


def _wrong(where: str, column: str, value: object, wanted: str) -> CrosstalkError:
    shown = "nothing" if value is None else repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return CrosstalkError(f"{where}: column {column!r}: found {shown}, wanted is {wanted}")


def _encodable(value: str) -> bool:
    """Return whether a text has no half characters (lone surrogates), which no tokenizer takes."""
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
                raise CrosstalkError(f"{path}: line {number}: holds no object ({{…}})")
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
    return path.open(encoding="utf-8-sig", newline="")  # spreadsheets write a mark of order


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
    wanted = "; or ".join(", ".join(layout) for layout in layouts)
    raise CrosstalkError(f"{path}: columns found: {', '.join(names)}; wanted: {wanted}")


def _cell(row: Row, column: str) -> Any:
    """Return a cell by its column's name, None if the row lacks it."""
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
