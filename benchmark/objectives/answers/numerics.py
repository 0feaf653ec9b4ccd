"""Values of expressions to fifty digits, to tell apart what differs before anybody is asked.

Expressions with symbols are compared at fixed points that nobody would write an answer for. Two
that differ anywhere differ there; two that agree may still differ (a term of 10^-60), so that
agreement is a question for the verifier and not a verdict. Sizes are limited: :class:`ValueError`
for a value beyond 2^100000, which no reference answer has.
"""

import hashlib
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from mpmath.ctx_mp import MPContext

from benchmark.objectives.answers.terms import Node

DIGITS = 50
MANY_DIGITS = 500  # once two expressions agree to fifty, so that a term of 10^-400 still counts
POINTS = 3
MAX_LOG2 = 100_000  # of a value's size
TOLERANCE = 1e-5  # relative, of a decimal fraction against a value that is none
SLACK = 15  # digits that cancellation may cost

_mp = MPContext()
_mp.dps = DIGITS
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arcsin": _mp.asin, "arccos": _mp.acos, "arctan": _mp.atan, "arccot": _mp.acot, "ln": _mp.ln,
    "lg": _mp.log10, "abs": abs, "floor": _mp.floor, "ceil": _mp.ceil, "sin": _mp.sin,
    "cos": _mp.cos, "tan": _mp.tan, "cot": _mp.cot, "sec": _mp.sec, "csc": _mp.csc,
    "sinh": _mp.sinh, "cosh": _mp.cosh, "tanh": _mp.tanh, "coth": _mp.coth, "log": _mp.log,
}  # fmt: skip
_LOGARITHMS = frozenset({"ln", "lg", "log", "abs", "floor", "ceil"})
_CONSTANTS = {"pi": _mp.pi, "e": _mp.e, "i": _mp.mpc(0, 1)}
_IMPOSSIBLE = (ArithmeticError, LookupError, ValueError, TypeError, NotImplementedError)


def symbols(node: Node) -> frozenset[str]:
    """Return the names of an expression's symbols."""
    own = {node.name} if node.kind == "symbol" else set()
    return frozenset(own).union(*map(symbols, node.parts))


@lru_cache(maxsize=2**13)
def value(node: Node, point: int = 0) -> Any:
    """Return an expression's value at a fixed point, None where it has none within the limits."""
    try:
        found = _value(node, point)
    except _IMPOSSIBLE:
        return None
    return found if _mp.isfinite(found) else None


@lru_cache(maxsize=2**13)  # asked twice: for the questions, and with their answers
def agree(first: Node, second: Node) -> bool:
    """Return whether two expressions agree at every point, and to 350 digits at the first."""
    variables = symbols(first) | symbols(second)
    points = range(POINTS if variables else 1)
    if not all(close(value(first, point), value(second, point)) for point in points):
        return False
    with _mp.workdps(MANY_DIGITS):
        values = _precise(first), _precise(second)
        return close(*values, Fraction(1, 10 ** (MANY_DIGITS - 10 * SLACK)))


def _precise(node: Node) -> Any:
    try:
        return _value(node, 0)
    except _IMPOSSIBLE:
        return None


def close(
    first: Any, second: Any, tolerance: Fraction | float = Fraction(1, 10 ** (DIGITS - SLACK))
) -> bool:
    """Return whether two values are there and differ by at most a tolerance, relative to both."""
    if first is None or second is None:
        return False
    size = max(abs(first), abs(second))
    return bool(abs(first - second) <= _number(Fraction(tolerance)) * size)


def factor(first: Node, second: Node) -> Fraction | None:
    """Return the fraction that the first is of the second at every point, if there is one."""
    quotients = []
    for point in range(POINTS):
        over, under = value(first, point), value(second, point)
        if over is None or not under:
            return None
        quotients.append(over / under)
    if any(not close(quotients[0], quotient) for quotient in quotients):
        return None
    quotient = _mp.mpf(quotients[0].real)
    if abs(quotient) > 10**6 or abs(quotient) < _mp.mpf(10) ** -6:
        return None
    scaled = Fraction(int(_mp.nint(quotient * 10**40)), 10**40).limit_denominator(10**6)
    return scaled if close(quotients[0], _number(scaled)) else None


def _value(node: Node, point: int) -> Any:
    if node.kind == "number":
        return _number(node.value)
    if node.kind == "symbol":
        return _at(node.name, point)
    if node.kind == "constant":
        return +_CONSTANTS[node.name]  # infinity has no value
    parts = [_value(part, point) for part in node.parts]
    if node.kind == "add":
        return parts[0] + parts[1]
    if node.kind == "multiply":
        return _small(parts[0] * parts[1])
    if node.kind == "divide":
        return _small(parts[0] / parts[1])
    if node.kind == "power":
        return _power(*parts)
    if node.kind == "root":
        return _root(*parts)
    if node.kind == "factorial":
        return _mp.factorial(_below(parts[0], 10_000))
    if node.kind == "binomial":
        return _mp.binomial(*(_below(part, 10_000) for part in parts))
    if node.name not in _LOGARITHMS:
        _below(parts[0], 10**15)
    return _FUNCTIONS[node.name](*parts)


def _power(base: Any, exponent: Any) -> Any:
    if not base:
        if _mp.re(exponent) <= 0:
            raise ZeroDivisionError
        return base
    _below(abs(exponent) * (1 + abs(_mp.log(abs(base), 2))), MAX_LOG2)
    return base**exponent


def _root(index: Any, radicand: Any) -> Any:
    """Return the real root where there is one, as answers mean it, else the principal one."""
    whole = _mp.isint(index)
    if whole and int(index) % 2 and not _mp.im(radicand) and _mp.re(radicand) < 0:
        return -_power(-radicand, 1 / index)
    return _power(radicand, 1 / index) if radicand else radicand


def _number(exact: Fraction) -> Any:
    return _mp.mpf(exact.numerator) / exact.denominator


def _at(name: str, point: int) -> Any:
    """Return a positive number between 1/2 and 5/2 that belongs to a symbol and a point."""
    digest = hashlib.sha256(f"{name}/{point}".encode()).digest()
    return _mp.mpf(1) / 2 + _mp.mpf(int.from_bytes(digest[:16], "big")) / 2**127


def _small(found: Any) -> Any:
    if abs(found) > _mp.ldexp(1, MAX_LOG2):
        raise OverflowError
    return found


def _below(found: Any, limit: int) -> Any:
    if abs(found) > limit:
        raise OverflowError
    return found
