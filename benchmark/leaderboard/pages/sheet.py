"""Model a published table: Markdown, LaTeX and the web page are written from the same cells."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Optional

import numpy as np
import pandas
from numpy.typing import ArrayLike

from benchmark.leaderboard.pages.markdown import NOTHING, number

Row = Mapping[Hashable, Any]  # of a data frame
Kind = Literal[
    "overall",
    "plane",
    "against",
    "breakdown",
    "dependence",
    "tuning",
    "group",
    "matrix",
    "cost",
]


class Flag(StrEnum):
    """What is special about a cell."""

    NONE = ""
    REFERENCE = "reference"  # an algorithm that trains one objective alone
    SIGNIFICANT = "significant"
    INTERFERED = "interfered"  # an objective that is interfered with


MARKS = {Flag.REFERENCE: " (reference)", Flag.SIGNIFICANT: " *"}


class Cell(NamedTuple):
    """A table's cell.

    Attributes:
        text: Its value as it is written.
        value: The number behind it; NaN if there is none.
        low: Lower bound of its 95% interval; NaN if there is none.
        high: Upper bound.
        bounds: The interval as it is written, ``± 0.020`` or ``1.00–2.00``.
        flag: What is special about it.
        place: 1 for the best value of a column, 2 for the second, 0 for any other.
        change: Of an objective's final value: its change since the initial policy.
        why: What an interfered objective is attributed to, where it was diagnosed.
    """

    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    bounds: str = ""
    flag: Flag = Flag.NONE
    place: int = 0
    change: Optional["Cell"] = None
    why: str = ""

    @property
    def words(self) -> str:
        """All that the cell says but interference: ``0.600, +0.200 ± 0.020``."""
        parts = [self.text]
        if self.bounds:
            parts.append(self.bounds if self.bounds.startswith("±") else f"({self.bounds})")
        change = f", {self.change.words}" if self.change else ""
        return " ".join(parts) + change + MARKS.get(self.flag, "")


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        kind: What it is a table of.
        name: For references to it.
        caption: What it shows.
        header: The columns' names.
        rows: The cells.
        place: The model and the objective set it is of, if it is of one.
        lead: A sentence above it.
        note: Sentences beneath it.
        details: What there is to know of an objective of the header, in a few words each.
    """

    kind: Kind
    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    place: tuple[str, str] = ("", "")
    lead: str = ""
    note: str = ""
    details: Mapping[str, Sequence[str]] = field(default_factory=dict)


def records(frame: pandas.DataFrame) -> list[dict[Hashable, Any]]:
    """Return the rows of a frame."""
    columns = (column.tolist() for _, column in frame.items())  # far faster than by to_dict
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def transposed(columns: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """Return the rows of columns of cells."""
    return [list(row) for row in zip(*columns, strict=True)]


def algorithm(row: Row) -> Cell:
    """Return an algorithm's name, marked if it is a reference."""
    flag = Flag.REFERENCE if row["reference"] else Flag.NONE
    return Cell(str(row["algorithm"]), flag=flag)


def amount(value: float, digits: int = 3, sign: str = "") -> Cell:
    """Return a number without an interval."""
    return Cell(number(value, digits, sign), value)


def count(value: int) -> Cell:
    """Return how many there are of something."""
    return Cell(str(value), value)


def part(some: int, whole: int) -> Cell:
    """Return how many of several there are."""
    return Cell(f"{some} of {whole}", some)


def change(value: float, low: float, high: float) -> Cell:
    """Return a change with half the width of its interval, which is symmetric."""
    return Cell(number(value, sign="+"), value, low, high, f"± {number(high - value)}")


def spanned(row: Row, key: str, digits: int = 3, *, percent: bool = False) -> Cell:
    """Return a value with the bounds of its interval, which need not be symmetric."""
    value, low, high = (row[name] for name in (key, f"{key}_low", f"{key}_high"))
    if pandas.isna(value):
        return Cell(NOTHING)
    unit, scale = ("%", 100) if percent else ("", 1)
    bounds = f"{number(scale * low, digits)}–{number(scale * high, digits)}"
    if pandas.isna(low) or pandas.isna(high):
        bounds = "no interval"
    return Cell(f"{number(scale * value, digits)}{unit}", value, low, high, bounds)


def ranked(
    cells: Sequence[Cell], competing: ArrayLike, *, lower: bool = False, digits: int = 3
) -> list[Cell]:
    """Return a column's cells with their places on the podium."""
    places = podium([cell.value for cell in cells], competing, lower=lower, digits=digits)
    return [cell._replace(place=place) for cell, place in zip(cells, places, strict=True)]


def podium(
    values: ArrayLike, competing: ArrayLike, *, lower: bool = False, digits: int = 3
) -> list[int]:
    """Return 1 for the best competitors, 2 for the second best, up to the digits shown."""
    shown = np.asarray(values, dtype=float).round(digits) * (1 if lower else -1)
    shown = np.where(competing, shown, np.nan)
    known = np.sort(shown[~np.isnan(shown)])
    if len(set(known)) < 2:  # one algorithm, or all alike: nobody is the best of anything
        return [0] * len(shown)
    best, second = known[:2]
    places = np.where(shown == best, 1, np.where(shown == second, 2, 0))
    return [int(place) for place in places]
