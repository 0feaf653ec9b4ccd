r"""What answers are read into, and numbers of special spelling: repeating decimals, bases."""

import re
from typing import NamedTuple

from benchmark.objectives.answers.terms import Node, number

_BASE = re.compile(
    r"([0-9A-Z]+(?:\.[0-9A-Z]+)?)\s*_\s*(?:\{\s*(?:\\text\s*\{)?\s*([0-9]{1,2}|[a-z]+)\s*\}?\s*\}|([0-9]{1,2}))"
)
_BASES = [
    "",
    "",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_REPEATING = re.compile(r"(-?)(\d*)\.(\d*)(?:\\(?:overline|bar)\s*\{?(\d+)\}?|\\dot\s*\{?(\d)\}?)")


class Answer(NamedTuple):
    """An answer: what it is, and its parts.

    Kinds: ``value`` (with ``node``, ``unit``, ``decimal``), ``list`` (unordered; a set or bare
    values), ``tuple`` (``label`` holds its brackets; also intervals), ``union``, ``sequence`` (with
    dots), ``matrix``, ``base``, ``words``; ``equation`` and ``order`` (``node`` is 0, or below).
    """

    kind: str
    parts: tuple["Answer", ...] = ()
    label: str = ""
    node: Node | None = None
    unit: str = ""
    decimal: bool = False
    name: str = ""  # what an assignment ``x = 5`` calls its value


class UnreadableError(ValueError):
    """The answer is malformed, or of no kind that is understood."""


def repeating(text: str) -> Answer | None:
    found = _REPEATING.fullmatch(text)
    if found is None:
        return None
    sign, whole, fixed, period = found[1], found[2], found[3], found[4] or found[5]
    shifted = int(whole + fixed + period) - int((whole + fixed) or 0)
    exact = number(shifted).value / ((10 ** len(period) - 1) * 10 ** len(fixed))
    return Answer("value", node=number(-exact if sign else exact))


def based(text: str) -> Answer | None:
    r"""Read ``4210_{5}``; digits that the base does not have are malformed."""
    found = _BASE.fullmatch(text)
    if found is None or not (found[1][0].isdigit() or len(found[1]) > 1):
        return None
    name = found[2] or found[3]
    base = int(name) if name.isdigit() else _BASES.index(name) if name in _BASES else 0
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in found[1].replace(".", "")):
        raise UnreadableError("digits that the base does not have")
    whole, point, places = found[1].partition(".")
    digits = (whole.lstrip("0") or "0") + (point + places.rstrip("0")).rstrip(".")
    return Answer("base", label=f"{digits}_{base}")
