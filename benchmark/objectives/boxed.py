r"""Find ``\boxed{…}`` in a completion, in one pass over any text."""

import re
from collections.abc import Iterator

# Models trained on escaped text write "\\boxed" for "\boxed"; both open a box. An escaped character
# is a token of its own, so that the braces of "\{1, 2\}" are not counted.
_TOKEN = re.compile(r"(?P<box>\\\\?boxed\s*\{)|\\.|(?P<brace>[{}])", re.DOTALL)


def boxes(text: str) -> Iterator[tuple[int, int]]:
    r"""Yield where the content of each closed ``\boxed{…}`` starts and ends, inner boxes first.

    Braces nest; a box that is never closed does not count.
    """
    open_braces: list[int | None] = []  # where the content starts for a box, None for a plain brace
    for token in _TOKEN.finditer(text):
        if token["box"]:
            open_braces.append(token.end())
        elif token["brace"] == "{":
            open_braces.append(None)
        elif token["brace"] and open_braces:
            start = open_braces.pop()
            if start is not None:
                yield start, token.start()


def last_boxed(text: str) -> str | None:
    r"""Return the content of the closed ``\boxed{…}`` that opens last, or None without one.

    Of nested boxes that is the inner one: ``\boxed{\boxed{7}}`` holds ``7``.
    """
    last = max(boxes(text), default=None)
    return None if last is None else text[slice(*last)]
