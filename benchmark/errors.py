"""The one exception for things a user can put right, and the wording its messages share."""

from collections.abc import Iterable
from difflib import get_close_matches


class CrosstalkError(Exception):
    """A problem the user can put right, told in one line.

    The command line prints it as ``error: <message>`` and exits with status 2; nothing else is
    printed. Messages name the file, the key, the value found and what is allowed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def unknown(kind: str, value: object, allowed: Iterable[str], where: str = "") -> CrosstalkError:
    """Return the error for a name outside ``allowed``, with the closest match if there is one.

    Args:
        kind: What the name stands for, for instance ``"objective"``.
        value: The name found.
        allowed: The names that exist.
        where: The file and key the name was found at, if known.
    """
    names = sorted(allowed)
    close = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    place = f"{where}: " if where else ""
    return CrosstalkError(f"{place}unknown {kind} {value!r}{hint} (known: {', '.join(names)})")
