"""What a published table is, and how its values are written."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import ArrayLike

from benchmark.leaderboard.pages.markdown import NOTHING, number

Row = Mapping[Hashable, Any]  # of a data frame


class TextCell(NamedTuple):
    """A table's cell: its text, whether an objective is interfered with, and its place.

    ``place`` is 1 for the best value of a column, 2 for the second, 0 for any other.
    """

    text: str
    interfered: bool = False
    place: int = 0


@dataclass(frozen=True)
class Sheet:
    """A table: a name for references, a caption, the header and the rows."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[TextCell]]


def records(frame: pandas.DataFrame) -> list[dict[Hashable, Any]]:
    """Return the rows of a frame."""
    return frame.to_dict("records")


def algorithm(row: Row) -> str:
    """Return an algorithm's name, marked if it is a reference."""
    return str(row["algorithm"]) + (" (reference)" if row["reference"] else "")


def change(delta: float, high: float) -> str:
    """Return a change and half the width of its interval, which is symmetric."""
    return f"{number(delta, sign='+')} ± {number(high - delta)}"


def spanned(row: Row, key: str, digits: int, unit: str = "") -> str:
    """Return a value and the bounds of its interval, which need not be symmetric."""
    value = row[key] * (100 if unit else 1)
    if pandas.isna(value):
        return NOTHING
    return f"{number(value, digits)}{unit} ({span(row, key, digits, unit)})"


def span(row: Row, key: str, digits: int, unit: str = "") -> str:
    """Return the bounds of a value's interval."""
    low, high = (row[f"{key}_{side}"] * (100 if unit else 1) for side in ("low", "high"))
    if pandas.isna(low) or pandas.isna(high):
        return "no interval"
    return f"{number(low, digits)}–{number(high, digits)}"


def podium(
    values: ArrayLike, competing: ArrayLike, *, lower: bool = False, digits: int = 3
) -> list[int]:
    """Return 1 for the best competitors, 2 for the second best, as far as shown digits differ."""
    shown = np.asarray(values, dtype=float).round(digits) * (1 if lower else -1)
    shown = np.where(competing, shown, np.nan)
    known = np.sort(shown[~np.isnan(shown)])
    if len(set(known)) < 2:  # one algorithm, or all alike: nobody is the best of anything
        return [0] * len(shown)
    best, second = known[:2]
    places = np.where(shown == best, 1, np.where(shown == second, 2, 0))
    return [int(place) for place in places]
