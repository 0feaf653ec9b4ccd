"""Whether an answer is the reference answer, by structure and exact numbers first.

The verdict on two expressions that look alike to fifty digits and are not the same number is the
verifier's: :func:`questions` says what it has to be asked, :func:`right` decides with its answers.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import product

from benchmark.objectives.answers import algebra, numerics
from benchmark.objectives.answers.reading import INFINITY, Answer, readings
from benchmark.objectives.answers.rendering import latex
from benchmark.objectives.answers.spelling import letters, spelled
from benchmark.objectives.answers.terms import Node, multiply, number

MAX_CHARACTERS = 1000  # of an answer; the longest of MATH-500 has 53
MAX_UNORDERED = 12  # parts of a list, each compared with each

Pair = tuple[str, str]
Ask = Callable[[Pair], bool]


def questions(expected: str, found: str) -> set[Pair] | None:
    """Return the questions on which a verdict depends, or None where it is no whatever they say."""
    asked: set[Pair] = set()

    def note(pair: Pair) -> bool:
        asked.add(pair)
        return True

    return asked if right(expected, found, note) else None


def right(expected: str, found: str, ask: Ask) -> bool:
    """Return whether an answer is the expected one, if ``ask`` says which expressions are equal."""
    if not found.strip() or len(found) > MAX_CHARACTERS or len(expected) > MAX_CHARACTERS:
        return False
    expected, found = spelled(expected), spelled(found)
    if not letters(found):
        return False
    if letters(expected) == letters(found):
        return True
    pairs = product(readings(expected), readings(found))
    verdicts = [_same(*pair, ask) for pair in pairs]  # all, so that all questions are asked
    return any(verdicts)


def _same(expected: Answer, found: Answer, ask: Ask) -> bool:
    if _equation(expected) and _equation(found) and (expected.name != found.name):
        if expected.kind == found.kind == "value" and "" in (expected.name, found.name):
            return _same_value(expected, found, ask)
        return _same_relation(_equation(expected), _equation(found), ask)
    if expected.name and found.name and expected.name != found.name:
        return False
    if expected.kind != found.kind and found.kind == "list":  # one value in several spellings
        return bool(found.parts) and _all_same((expected,) * len(found.parts), found.parts, ask)
    if expected.kind != found.kind:
        return _same_vector(expected, found, ask)
    if expected.kind == "value":
        return _same_value(expected, found, ask)
    if expected.kind in ("equation", "order"):
        return _same_relation(expected, found, ask)
    if expected.label != found.label or len(expected.parts) != len(found.parts):
        return False
    if expected.kind in ("list", "union"):
        return _same_in_any_order(expected.parts, found.parts, ask)
    return _all_same(expected.parts, found.parts, ask)


def _all_same(expected: tuple[Answer, ...], found: tuple[Answer, ...], ask: Ask) -> bool:
    verdicts = [_same(*pair, ask) for pair in zip(expected, found, strict=True)]
    return all(verdicts)


def _same_in_any_order(expected: tuple[Answer, ...], found: tuple[Answer, ...], ask: Ask) -> bool:
    """Return whether each part has a partner of its own; long lists have to be in order."""
    if len(expected) > MAX_UNORDERED:
        return _all_same(expected, found, ask)
    partners = [
        [place for place, other in enumerate(found) if _same(part, other, ask)] for part in expected
    ]
    taken: dict[int, int] = {}

    def place(part: int, tried: set[int]) -> bool:
        for other in partners[part]:
            if other not in tried:
                tried.add(other)
                if other not in taken or place(taken[other], tried):
                    taken[other] = part
                    return True
        return False

    return all(place(part, set()) for part in range(len(expected)))


def _same_vector(expected: Answer, found: Answer, ask: Ask) -> bool:
    """Return whether one is a column and the other a tuple in parentheses, of the same entries."""
    matrix, other = (expected, found) if expected.kind == "matrix" else (found, expected)
    if matrix.kind != "matrix" or other.kind != "tuple" or other.label != "()" or matrix.label:
        return False
    if any(len(row.parts) != 1 for row in matrix.parts) or len(matrix.parts) != len(other.parts):
        return False
    return _all_same(tuple(row.parts[0] for row in matrix.parts), other.parts, ask)


def _same_value(expected: Answer, found: Answer, ask: Ask) -> bool:
    assert expected.node is not None
    assert found.node is not None
    units = {expected.unit, found.unit} - {""}
    if len(units) > 1:
        return False
    decimals = expected.decimal, found.decimal
    if _same_number(expected.node, found.node, decimals, ask):
        return True
    if "percent" not in units or expected.unit == found.unit:
        return False
    hundredth = number(Fraction(1, 100))
    first, second = (
        multiply(hundredth, each.node) if each.unit and each.node is not None else each.node
        for each in (expected, found)
    )
    assert first is not None
    assert second is not None
    return _same_number(first, second, (True, True), ask)


def _same_number(first: Node, second: Node, decimals: tuple[bool, bool], ask: Ask) -> bool:
    if first == second:
        return True
    if INFINITY in (first, second):
        return False
    if decimals[0] != decimals[1] and not (numerics.symbols(first) | numerics.symbols(second)):
        exact = second if decimals[0] else first
        if not _terminates(exact):
            values = numerics.value(first), numerics.value(second)
            return numerics.close(*values, numerics.TOLERANCE)
    if first.kind == second.kind == "number":
        return False
    return _same_expression(first, second, ask)


def _same_expression(first: Node, second: Node, ask: Ask) -> bool:
    if not numerics.agree(first, second):
        return False
    return algebra.identical(first, second) or ask((latex(first), latex(second)))


def _terminates(node: Node) -> bool:
    """Return whether a value is a number with finitely many decimal places."""
    if node.kind != "number":
        return False
    under = node.value.denominator
    for prime in (2, 5):
        while under % prime == 0:
            under //= prime
    return under == 1


def _equation(answer: Answer) -> Answer | None:
    """Return what an answer says as an equation, if it says one."""
    if answer.kind in ("equation", "order"):
        return answer
    named = answer.kind == "value" and answer.name and answer.parts
    return answer.parts[0] if named else None


def _same_relation(expected: Answer | None, found: Answer | None, ask: Ask) -> bool:
    """Return whether one side is a multiple of the other: a positive one, for an inequality."""
    assert expected is not None
    assert expected.node is not None
    assert found is not None
    assert found.node is not None
    if expected.label != found.label:
        return False
    factor = numerics.factor(expected.node, found.node)
    if not factor or (factor < 0 and expected.label not in ("", "\\ne")):
        return False
    scaled = multiply(number(factor), found.node)
    return _same_expression(expected.node, scaled, ask)
