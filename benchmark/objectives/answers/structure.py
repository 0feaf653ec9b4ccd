r"""Split text at its top level: brackets, separators, and the environments of matrices."""

import re
from collections.abc import Iterator

DEPTH = 40
LISTS = 5
_TOKEN = re.compile(
    r"\\text\s*\{[^{}]*\}|\\begin\s*\{[a-z]*matrix\}|\\end\s*\{[a-z]*matrix\}|\\[A-Za-z]+|\\.|.",
    re.DOTALL,
)
_OPEN = {"(", "[", "{", "\\{", "\\langle", "\\lfloor", "\\lceil"}
_CLOSE = {")", "]", "}", "\\}", "\\rangle", "\\rfloor", "\\rceil"}
_AND = re.compile(r"\\text\s*\{\s*,?\s*(?:and|or)\s*\}")
_WORD = re.compile(r"(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
_GROUP = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")


def pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each token of a text, where it starts, and how many brackets are open around it."""
    depth = 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        closes = token in _CLOSE or token.startswith("\\end")
        depth -= closes
        yield token, found.start(), depth
        depth += token in _OPEN or token.startswith("\\begin")


def balanced(text: str) -> bool:
    r"""Return whether brackets close, nested to at most :data:`DEPTH`, of lists :data:`LISTS`.

    ``[`` and ``)`` may close each other, as in ``[1,2)``.
    """
    stack: list[str] = []
    groups = {"{": "{", "}": "{", "\\{": "\\{", "\\}": "\\{", "\\langle": "<", "\\rangle": "<"}
    for token, _, _ in pieces(text):
        kind = groups.get(token, token if token.startswith("\\") else "(")
        if token in _OPEN:
            stack.append(kind.replace("\\l", "\\r"))
            if len(stack) > DEPTH:
                return False
        elif (token in ",;" and len(stack) > LISTS) or (
            token in _CLOSE and (not stack or stack.pop() != kind)
        ):
            return False
    return not stack


def split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Return the parts of a text between separators outside all brackets, stripped."""
    parts, start = [], 0
    for token, at, depth in pieces(text):
        if depth == 0 and token in separators:
            parts.append(text[start:at].strip())
            start = at + len(token)
    return [*parts, text[start:].strip()]


def listed(text: str) -> list[str]:
    """Return what a list holds: parts between commas, semicolons, "and" and "or"."""
    text = _WORD.sub(",", _AND.sub(",", text))
    parts = split(text, (",", ";"))
    spurious = [part for part in parts[1:-1] if not part]  # of "2, and 3", "1, 2, and 3"
    return [part for part in parts if part] if spurious and all(parts[::-1][:1]) else parts


def without_thousands(text: str) -> str:
    """Return a text without the commas of numbers like 58,500 that stand outside all brackets."""
    outside = {at for _, at, depth in pieces(text) if depth == 0}
    return _GROUP.sub(
        lambda found: found[0].replace(",", "") if found.start() in outside else found[0], text
    )


def enclosed(text: str) -> tuple[str, str, str] | None:
    r"""Return opening, inside and closing of a text that brackets enclose as a whole."""
    tokens = list(pieces(text))
    if len(tokens) < 2 or tokens[0][0] not in _OPEN or tokens[-1][0] not in _CLOSE:
        return None
    if any(depth == 0 for _, _, depth in tokens[1:-1]) or tokens[-1][2] != 0:
        return None
    opening, closing = tokens[0][0], tokens[-1][0]
    return opening, text[len(opening) : tokens[-1][1]].strip(), closing
