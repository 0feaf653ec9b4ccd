"""Exact equality of rational functions, over whole numbers, roots of them, symbols, and atoms.

An expression becomes a quotient of two polynomials with exact coefficients. Their variables are
symbols, pi, e, i (whose square is -1), square roots of primes, and atoms: whatever else it is, such
as a sine, known by its exact argument. Equal quotients are equal expressions; different quotients
are, too, if their atoms are related, so that this says yes or nothing.
"""

from fractions import Fraction
from functools import lru_cache

from benchmark.objectives.answers.terms import TWO, Node

TERMS = 150  # of a polynomial
EXPONENT = 30
LARGEST_PRIME = 1000  # beyond it, what is under a root stays whole

Monomial = tuple[tuple[str, int], ...]  # a variable's name and exponent, in the order of names
Polynomial = dict[Monomial, Fraction]
Quotient = tuple[Polynomial, Polynomial]

_ONE: Polynomial = {(): Fraction(1)}


def identical(first: Node, second: Node) -> bool:
    """Return whether two expressions are certainly equal."""
    try:
        (over, under), (other_over, other_under) = quotient(first), quotient(second)
        return _times(over, other_under) == _times(other_over, under)
    except (ValueError, ZeroDivisionError):
        return False


@lru_cache(maxsize=2**12)
def quotient(node: Node) -> Quotient:
    """Return an expression as a quotient; raise ValueError where it has too many terms."""
    if node.kind == "number":
        return _constant(node.value), _ONE
    if node.kind in ("symbol", "constant"):
        return _variable(node.name if node.kind == "symbol" else f"\\{node.name}"), _ONE
    if node.kind in ("add", "multiply", "divide"):
        return _combined(node.kind, *map(quotient, node.parts))
    if node.kind == "power":
        exponent = node.parts[1]
        if exponent.kind == "number" and exponent.value.denominator == 1:
            return _raised(quotient(node.parts[0]), exponent.value.numerator)
    if node.kind == "root" and node.parts[0] == TWO and node.parts[1].kind == "number":
        return _square_root(node.parts[1].value)
    return _variable(_atom(node)), _ONE


def _combined(kind: str, first: Quotient, second: Quotient) -> Quotient:
    (a, b), (c, d) = first, second
    if kind == "multiply":
        return _times(a, c), _times(b, d)
    if kind == "divide":
        if not c:
            raise ZeroDivisionError
        return _times(a, d), _times(b, c)
    if b == d:
        return _plus(a, c), b
    return _plus(_times(a, d), _times(c, b)), _times(b, d)


def _raised(base: Quotient, exponent: int) -> Quotient:
    if abs(exponent) > EXPONENT:
        raise ValueError("a large exponent")
    over, under = base if exponent >= 0 else base[::-1]
    if not under or (not over and not exponent):
        raise ZeroDivisionError
    result: Quotient = (_ONE, _ONE)
    for _ in range(abs(exponent)):
        result = _times(result[0], over), _times(result[1], under)
    return result


def _square_root(radicand: Fraction) -> Quotient:
    """Return a square root by its primes: of a/b it is the one of ab, over b."""
    left = abs(radicand.numerator * radicand.denominator)
    factor = Fraction(1, radicand.denominator)
    names = ["\\i"] if radicand < 0 else []
    for prime in range(2, LARGEST_PRIME):
        if prime * prime > left:
            break
        while left % (prime * prime) == 0:
            left //= prime * prime
            factor *= prime
        if left % prime == 0:
            left //= prime
            names.append(f"√{prime}")
    names += [f"√{left}"] if left > 1 else []
    monomial = tuple(sorted((name, 1) for name in names))
    return {monomial: factor}, _ONE


def _atom(node: Node) -> str:
    """Return a name that only equal operations on equal quotients share."""
    parts = [repr([sorted(half.items()) for half in quotient(part)]) for part in node.parts]
    return f"{node.kind} {node.name} {parts}"


def _constant(value: Fraction) -> Polynomial:
    return {(): value} if value else {}


def _variable(name: str) -> Polynomial:
    if len(name) > 2000:
        raise ValueError("a large atom")
    return {((name, 1),): Fraction(1)}


def _plus(first: Polynomial, second: Polynomial) -> Polynomial:
    total = dict(first)
    for monomial, coefficient in second.items():
        total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _times(first: Polynomial, second: Polynomial) -> Polynomial:
    if len(first) * len(second) > TERMS * 4:
        raise ValueError("too many terms")
    total: Polynomial = {}
    for one, a in first.items():
        for other, b in second.items():
            monomial, factor = _product(one, other)
            total[monomial] = total.get(monomial, Fraction(0)) + a * b * factor
    if any(each.numerator.bit_length() > 5_000 for each in total.values()):
        raise ValueError("large coefficients")
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _product(first: Monomial, second: Monomial) -> tuple[Monomial, int]:
    """Return the product of two monomials, with squares of roots and of i as a factor."""
    exponents = dict(first)
    for name, exponent in second:
        exponents[name] = exponents.get(name, 0) + exponent
    factor = 1
    for name, exponent in exponents.items():
        square = -1 if name == "\\i" else int(name[1:]) if name.startswith("√") else None
        if square is not None and exponent > 1:
            factor *= square ** (exponent // 2)
            exponents[name] = exponent % 2
    return tuple(sorted(item for item in exponents.items() if item[1])), factor
