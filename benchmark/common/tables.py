"""Tables as the text of CSV files."""

import csv
import io
from typing import Any

import numpy as np
import pandas

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what they begin with


def csv_text(frame: pandas.DataFrame) -> str:
    """Return a table as CSV with six significant digits, the same on every system.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which
    spreadsheets do not show.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(zip(*(_written(column) for _, column in frame.items()), strict=True))
    return stream.getvalue()


def _written(column: pandas.Series) -> list[Any]:
    """Return a column's values as the file has them; equal ones are put in words once."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        bits = column.to_numpy(dtype=np.float64).view(np.int64)  # which tell -0.0 from 0.0
        distinct, places = np.unique(bits, return_inverse=True)
        found = ["" if np.isnan(v) else f"{v:.6g}" for v in distinct.view(np.float64).tolist()]
    elif isinstance(column.dtype, pandas.StringDtype):
        places, texts = pandas.factorize(column)
        found = [
            *(str(_inert(text)) for text in texts),
            "",
        ]  # the last for a missing one, whose place is -1
    elif pandas.api.types.is_numeric_dtype(column.dtype):
        return column.tolist()
    else:
        return ["" if pandas.isna(value) else _inert(value) for value in column]
    written: list[Any] = np.array(found, dtype=object)[places].tolist()
    return written


def _inert(value: object) -> object:
    """Return a text that is no formula; https://owasp.org/www-community/attacks/CSV_Injection."""
    formula = isinstance(value, str) and value.startswith(FORMULAS) and not _is_number(value)
    return f"'{value}" if formula else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def plain(value: object) -> object:
    """Return a text as it was before :func:`csv_text` made it inert."""
    inert = isinstance(value, str) and value.startswith("'") and value[1:].startswith(FORMULAS)
    return value[1:] if isinstance(value, str) and inert else value
