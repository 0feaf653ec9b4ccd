"""Parse sums of whole numbers by a small grammar, with limits, into exact values.

.. code-block:: text

    sum     = product { ("+" | "-") product }
    product = term { ("*" | "/") term }
    term    = number | "(" sum ")"
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

LONGEST = 200  # characters
DEEPEST = 20  # parentheses inside one another
MOST_DIGITS = 9  # of a number
_TOKEN = re.compile(r"\s*([0-9]+|[-+*/()])")
_SPELLINGS = [  # LaTeX's first: what Unicode writes stands in no command
    (re.compile(r"\\(?:left|right)(?=[()\s])"), ""),
    (re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])|[×·∗⋅]"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|[÷∕]"), "/"),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1) / (\2))"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\\[,;! ]|[$~\u00a0]"), " "),
]


class Malformed(ValueError):
    """A text is no expression of the grammar, or beyond its limits."""


class Expression(NamedTuple):
    """The numbers of an expression, in order, and its value; None if it divides by 0."""

    numbers: tuple[int, ...]
    value: Fraction | None


def spelled(text: str) -> str:
    """Return a text with the operators that LaTeX and Unicode write as those of the grammar.

    Text beyond the limit comes back as it is, to be refused.
    """
    if len(text) <= LONGEST:
        for pattern, plain in _SPELLINGS:
            text = pattern.sub(plain, text)
    return text


def parse(text: str) -> Expression:
    """Return the expression that a text is.

    Raises:
        Malformed: It is none, is longer than :data:`LONGEST`, nested deeper than :data:`DEEPEST`,
            or has a number of more than :data:`MOST_DIGITS` digits.
    """
    if len(text) > LONGEST:
        raise Malformed(f"expected at most {LONGEST} characters, got {len(text)}")
    reader = _Reader(list(_tokens(text)))
    value = reader.sum(0)
    if reader.tokens:
        raise Malformed(f"expected an end, got {reader.tokens[0]!r}")
    return Expression(tuple(reader.numbers), value)


def _tokens(text: str) -> Iterator[str]:
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Malformed(f"expected a number or an operator, got {text[at:].strip()[:1]!r}")
        yield found[1]
        at = found.end()


class _Reader:
    """Reads tokens from the left, by recursive descent."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.numbers: list[int] = []

    def sum(self, depth: int) -> Fraction | None:
        value = self.product(depth)
        while self.tokens and self.tokens[0] in "+-":
            sign, right = self.tokens.pop(0), self.product(depth)
            if value is not None and right is not None:
                value = value + right if sign == "+" else value - right
            else:
                value = None
        return value

    def product(self, depth: int) -> Fraction | None:
        value = self.term(depth)
        while self.tokens and self.tokens[0] in "*/":
            sign, right = self.tokens.pop(0), self.term(depth)
            if value is None or right is None or (sign == "/" and right == 0):
                value = None
            else:
                value = value * right if sign == "*" else value / right
        return value

    def term(self, depth: int) -> Fraction | None:
        if not self.tokens:
            raise Malformed("expected a number or a parenthesis, got an end")
        token = self.tokens.pop(0)
        if token.isdigit() and len(token) <= MOST_DIGITS:
            self.numbers.append(int(token))
            return Fraction(self.numbers[-1])
        if token != "(" or depth >= DEEPEST:
            raise Malformed(f"expected a number or a parenthesis within the limits, got {token!r}")
        value = self.sum(depth + 1)
        if not self.tokens or self.tokens.pop(0) != ")":
            raise Malformed("expected a closing parenthesis")
        return value
