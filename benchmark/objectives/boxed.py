r"""Find ``\boxed{…}`` in a completion, in one pass over any text."""

import re
from collections.abc import Iterator
from typing import Literal, overload

# Models trained on escaped text write "\\boxed" for "\boxed"; both open a box. An escaped character
# is a token of its own, so that the braces of "\{1, 2\}" are not counted.
_TOKEN = re.compile(r"(?P<box>\\\\?boxed\s*\{)|\\.|(?P<brace>[{}])", re.DOTALL)
_SPELLINGS = re.compile(
    r"(?P<box>\\\\?(?:boxed|fbox)\s*\{)"
    r"|\\\\?boxed(?:\s+|(?=\d))(?P<bare>[^\s{}$\\]*[^\s{}$\\.,;:!?])"
    r"|\\.|(?P<brace>[{}])",
    re.DOTALL,
)


@overload
def boxes(text: str, every: Literal[False] = False) -> Iterator[tuple[int, int]]: ...
@overload
def boxes(text: str, every: Literal[True]) -> Iterator[tuple[int, int | None]]: ...
def boxes(text: str, every: bool = False) -> Iterator[tuple[int, int | None]]:
    r"""Yield where the content of each closed ``\boxed{…}`` starts and ends, inner boxes first.

    Braces nest; a box that is never closed does not count. With ``every``, ``\fbox{…}`` and
    ``\boxed 7`` are boxes too, and those never closed come last, with None for their end.
    """
    open_braces: list[int | None] = []  # where the content starts for a box, None for a plain brace
    for token in (_SPELLINGS if every else _TOKEN).finditer(text):
        if token["box"]:
            open_braces.append(token.end())
        elif every and token["bare"]:
            yield token.span("bare")
        elif token["brace"] == "{":
            open_braces.append(None)
        elif token["brace"] and open_braces:
            start = open_braces.pop()
            if start is not None:
                yield start, token.start()
    if every:
        yield from ((start, None) for start in open_braces if start is not None)
