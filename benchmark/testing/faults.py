"""Say which property does not hold, whatever the code under test does."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.common.termination import Terminated


def require(condition: object, message: str) -> None:
    """Raise an error that the interpreter's ``-O`` leaves in."""
    if not condition:
        raise AssertionError(message)


@contextmanager
def upheld(who: str, name: str) -> Iterator[None]:
    """Turn whatever the block raises into an ``AssertionError`` that names the property."""
    try:
        yield
    except Terminated:
        raise
    except (Exception, SystemExit) as error:
        told = isinstance(error, AssertionError)
        what = str(error) if told else f"{type(error).__name__}: {error}"
        raise AssertionError(f"{who}: property {name!r} does not hold: {what}") from error
