"""Check parameters that a user gives: return the value in the form to use, or name what is wrong.

Every function raises :class:`~benchmark.common.errors.CrosstalkError` for a value that does not
fit, with the parameter's name, what is expected, and the value found.
"""

import math
from collections.abc import Collection, Sequence
from numbers import Real
from typing import NoReturn, TypeGuard

from benchmark.common.errors import CrosstalkError, unknown

_SHOWN = 60  # characters of a wrong value that a message repeats


def refuse(name: str, expected: str, value: object) -> NoReturn:
    """Raise the error ``<name>: expected <expected>, got <value>``."""
    shown = "nothing" if value is None else repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    raise CrosstalkError(f"{name}: expected {expected}, got {shown}")


def integer(name: str, value: object, minimum: int) -> int:
    """Return an integer of at least ``minimum``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        refuse(name, f"an integer of at least {minimum}", value)
    return value


def number(
    name: str, value: object, minimum: float, maximum: float = math.inf, *, finite: bool = True
) -> float:
    """Return a number from ``minimum`` to ``maximum``; infinity too if not ``finite``."""
    if not is_number(value, finite=finite) or not minimum <= value <= maximum:
        most = f" and at most {maximum:g}" if maximum < math.inf else ""
        refuse(name, f"a number of at least {minimum:g}{most}", value)
    return float(value)


def is_number(value: object, *, finite: bool = True) -> TypeGuard[float]:
    """Return whether a value is a number: neither a truth value nor NaN."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) if finite else not math.isnan(value)


def as_float(value: object) -> float | None:
    """Return a number or truth value of Python, NumPy or torch as a float; None if it is no number.

    Arrays and tensors are numbers if they have no dimension. What is too large is infinite.
    """
    if not isinstance(value, Real) and getattr(value, "ndim", None) == 0:
        value = getattr(value, "item", lambda: None)()
    if not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def flag(name: str, value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        refuse(name, "true or false", value)
    return value


def text(name: str, value: object, expected: str = "text") -> str:
    """Return a string; ``expected`` says what it should hold."""
    if not isinstance(value, str):
        refuse(name, expected, value)
    return value


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return one of the ``allowed`` names."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, f"one of {', '.join(allowed)}", value)
    return value


def names(name: str, values: object, allowed: Collection[str]) -> tuple[str, ...]:
    """Return some of the ``allowed`` names, each once; a wrong one brings the closest match."""
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        refuse(name, f"a list of some of {', '.join(allowed)}", values)
    for value in values:
        if value not in allowed:
            raise unknown("name", value, allowed, name)
    return tuple(dict.fromkeys(values))
