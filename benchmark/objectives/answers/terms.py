"""Trees of expressions, whose numbers are exact: whole numbers and fractions of Python.

Nothing is evaluated that could grow beyond :data:`BITS`: a power that would stays a power.
"""

import math
from fractions import Fraction
from typing import NamedTuple

BITS = 14_000  # of numerator and denominator of an exact number


class Node(NamedTuple):
    """Part of an expression: ``number``, ``symbol``, ``constant``, or an operation on ``parts``."""

    kind: str
    parts: tuple["Node", ...] = ()
    name: str = ""
    value: Fraction = Fraction(0)


class MalformedError(ValueError):
    """The text is no expression that is understood."""


def number(value: Fraction | int) -> Node:
    """Return the node of an exact number."""
    return Node("number", value=Fraction(value))


ONE, TWO = number(1), number(2)


def add(first: Node, second: Node) -> Node:
    """Return a sum, exact where both parts are."""
    if first.kind == second.kind == "number":
        return _fitting(first.value + second.value) or Node("add", (first, second))
    if number(0) in (first, second):
        return second if first == number(0) else first
    return Node("add", (first, second))


def multiply(first: Node, second: Node) -> Node:
    """Return a product, exact where both parts are."""
    if first.kind == second.kind == "number":
        return _fitting(first.value * second.value) or Node("multiply", (first, second))
    if ONE in (first, second):
        return second if first == ONE else first
    return Node("multiply", (first, second))


def divide(first: Node, second: Node) -> Node:
    """Return a quotient, exact where both parts are; raise ZeroDivisionError by 0."""
    if second.kind == "number" and not second.value:
        raise ZeroDivisionError
    if first.kind == second.kind == "number":
        return _fitting(first.value / second.value) or Node("divide", (first, second))
    return Node("divide", (first, second))


def negative(node: Node) -> Node:
    """Return a tree's negative."""
    return number(-node.value) if node.kind == "number" else multiply(number(-1), node)


def power(base: Node, exponent: Node) -> Node:
    """Return a power, exact where that is rational and not too large."""
    if base.kind == exponent.kind == "number" and exponent.value.denominator == 1:
        value, times = base.value, exponent.value.numerator
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if not value and times <= 0:
            raise MalformedError("0 to a power that is not positive")
        if abs(times) * bits <= BITS or value in (0, 1, -1):
            # Of 0, 1 and -1 only the parity of the exponent matters.
            return number(value ** (times if abs(times) <= BITS else 2 + times % 2))
    return Node("power", (base, exponent))


def root(index: Node, radicand: Node) -> Node:
    """Return a root; exact for the square root of a square."""
    if index == TWO and radicand.kind == "number" and radicand.value >= 0:
        over, under = radicand.value.numerator, radicand.value.denominator
        roots = math.isqrt(over), math.isqrt(under)
        if roots[0] ** 2 == over and roots[1] ** 2 == under:
            return number(Fraction(*roots))
    return Node("root", (index, radicand))


def factorial(node: Node) -> Node:
    """Return a factorial, exact up to 1000."""
    if node.kind == "number" and node.value.denominator == 1 and 0 <= node.value <= 1000:
        return number(math.factorial(node.value.numerator))
    return Node("factorial", (node,))


def binomial(above: Node, below: Node) -> Node:
    """Return a binomial coefficient, exact for whole numbers up to 1000."""
    if above.kind == below.kind == "number":
        n, k = above.value, below.value
        if n.denominator == k.denominator == 1 and 0 <= k <= n <= 1000:
            return number(math.comb(n.numerator, k.numerator))
    return Node("binomial", (above, below))


def _fitting(value: Fraction) -> Node | None:
    fits = max(value.numerator.bit_length(), value.denominator.bit_length()) <= BITS
    return number(value) if fits else None
