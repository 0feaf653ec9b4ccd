"""Checks of objectives' parameters: the value, or an error naming it and what is allowed."""

from collections.abc import Collection

from benchmark.common.errors import CrosstalkError


def integer(name: str, value: object, minimum: int) -> int:
    """Return the parameter ``name``, a whole number of at least ``minimum``.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise CrosstalkError(
            f"{name}: found {value!r}, allowed is an integer of at least {minimum}"
        )
    return value


def number(name: str, value: object, minimum: float) -> float:
    """Return the parameter ``name``, a number of at least ``minimum``, possibly infinite.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= minimum:
        raise CrosstalkError(f"{name}: found {value!r}, allowed is a number of at least {minimum}")
    return float(value)


def flag(name: str, value: object) -> bool:
    """Return the parameter ``name``, true or false.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not isinstance(value, bool):
        raise CrosstalkError(f"{name}: found {value!r}, allowed are true and false")
    return value


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return the parameter ``name``, one of ``allowed``.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not isinstance(value, str) or value not in allowed:
        raise CrosstalkError(f"{name}: found {value!r}, allowed: {', '.join(allowed)}")
    return value
