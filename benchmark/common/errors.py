"""The one exception for things a user can put right, and the wording its messages share."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmark.common.termination import Terminated

if TYPE_CHECKING:
    from inspect import Parameter

USER_ERROR = 2  # exit status after a one-line error


def printable(text: str) -> str:
    """Return a text with characters that would steer a terminal written out, as ``\\x1b``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class CrosstalkError(ValueError):
    """A problem the user can put right, told in one line.

    The command line prints it as ``error: <message>`` and exits with status 2; nothing else is
    printed. Messages name the file, the key, the value found and what is allowed. They quote what
    others wrote, so nothing in them steers a terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split())))


class Transient(CrosstalkError):
    """A problem that may pass by itself: a lock, a server that does not answer, a lost process."""


class Diverged(CrosstalkError):
    """A policy whose weights, probabilities or loss are no numbers any more.

    The message says what diverged; whoever knows the cell and the update puts them before it.
    """


class Faulty(CrosstalkError):
    """What a scalarizer, objective or reward function of anybody's does against its contract.

    The message names it; whoever knows the cell puts that before it.
    """


@contextmanager
def blaming(what: str, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Name whose code it was where the block raises, or would end the process.

    Exceptions ``but`` these pass through, as does what is meant for the user.

    Raises:
        Faulty: It raised anything but a :class:`CrosstalkError`, or called ``sys.exit``.
    """
    passed: tuple[type[BaseException], ...] = (CrosstalkError, Terminated, *but)
    try:
        yield
    except passed:
        raise
    except (Exception, SystemExit) as error:
        raise Faulty(f"{what} raised {type(error).__name__}: {error}") from error


def unknown(kind: str, value: object, allowed: Iterable[str], where: str = "") -> CrosstalkError:
    """Return the error for a name outside ``allowed``, with the closest match if there is one.

    Args:
        kind: What the name stands for, for instance ``"objective"``.
        value: The name found.
        allowed: The names that exist.
        where: The file and key the name was found at, if known.
    """
    from difflib import get_close_matches  # every command's start would pay for it

    names = sorted(allowed)
    close = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    place = f"{where}: " if where else ""
    return CrosstalkError(f"{place}unknown {kind} {value!r}{hint} (known: {', '.join(names)})")


def check_parameter_names(own: "Sequence[Parameter]", given: Collection[str], where: str) -> None:
    """Refuse parameters a constructor does not have, and the absence of those it must have.

    Args:
        own: The constructor's parameters that a user may give.
        given: The names of those the user gave.
        where: Whose parameters they are, for the message.

    Raises:
        CrosstalkError: A name is unknown, or one without a default is missing.
    """
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
        return
    allowed = [parameter.name for parameter in own]
    for key in given:
        if key not in allowed and not allowed:
            raise CrosstalkError(f"{where}: unknown parameter {key!r} (it has no parameters)")
        if key not in allowed:
            raise unknown("parameter", key, allowed, where)
    for parameter in own:
        if parameter.default is parameter.empty and parameter.name not in given:
            raise CrosstalkError(
                f"{where}: parameter {parameter.name!r} is missing (allowed: {', '.join(allowed)})"
            )
