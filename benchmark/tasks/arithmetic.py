"""``arithmetic``: generated sums modulo 10, a task for tiny models that needs no download.

A problem reads ``What is 3 + 4 * 2 - 7 ?``. Its three operations are taken from left to right and
each result is reduced modulo 10, so that every number in a worked answer is one digit: 3 + 4 = 7,
7 * 2 = 4, 4 - 7 = 7, and the answer is 7.
"""

from typing import ClassVar

from benchmark.tasks.base import Problem, Split, Task

OPERATORS = ("+", "-", "*")
SIZE = 10**4 * len(OPERATORS) ** 3  # four digits and three operators
_HELD_OUT = 10_000
_SPLITS: dict[Split, tuple[int, int]] = {  # ranks in the fixed shuffle of all problems
    "test": (0, _HELD_OUT),
    "validation": (_HELD_OUT, 2 * _HELD_OUT),
    "train": (2 * _HELD_OUT, SIZE),
}
_BITS = 19  # 2**19 is the smallest power of two that holds SIZE numbers
_MASK = 2**_BITS - 1


class Arithmetic(Task):
    """All 270,000 problems in one fixed shuffled order, cut into consecutive splits.

    The first 10,000 are the test split, the next 10,000 validation, the rest train. The order
    comes from integer arithmetic alone: no random generator takes part, global or other.
    """

    name: ClassVar[str] = "arithmetic"

    def split(self, split: Split, size: int) -> list[Problem]:
        self.check(split, size, {name: stop - start for name, (start, stop) in _SPLITS.items()})
        start, _ = _SPLITS[split]
        return [_problem(shuffled(rank)) for rank in range(start, start + size)]


def shuffled(rank: int) -> int:
    """Return the number of the problem at ``rank``: a one-to-one map of 0 .. SIZE-1 onto itself.

    Each line of :func:`_mix` can be undone on 19-bit integers. Repeating it until the number falls
    below ``SIZE`` ("cycle walking") keeps the map one-to-one on the smaller range.
    """
    number = _mix(rank)
    while number >= SIZE:
        number = _mix(number)
    return number


def _mix(number: int) -> int:
    for multiplier in (0x2C1B5, 0x57A6D, 0x1F3D9):  # odd, so invertible modulo a power of two
        number ^= number >> 10
        number = (number * multiplier + 0x3C6EF) & _MASK
    return number ^ (number >> 9)


def apply(left: int, operator: str, right: int) -> int:
    """Return ``left operator right`` modulo 10."""
    if operator == "+":
        return (left + right) % 10
    if operator == "-":
        return (left - right) % 10
    return (left * right) % 10


def results(digits: tuple[int, ...], operators: tuple[str, ...]) -> list[int]:
    """Return the result after each operation, left to right; the last one is the answer."""
    reached = [digits[0]]
    for operator, digit in zip(operators, digits[1:], strict=True):
        reached.append(apply(reached[-1], operator, digit))
    return reached[1:]


def terms(number: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the four digits and three operators of problem ``number`` in 0 .. SIZE-1."""
    operators = []
    for _ in range(3):
        number, choice = divmod(number, len(OPERATORS))
        operators.append(OPERATORS[choice])
    digits = tuple(number // 10**place % 10 for place in range(4))
    return digits, tuple(operators)


def expression(digits: tuple[int, ...], operators: tuple[str, ...]) -> str:
    """Return the terms as text, for instance ``3 + 4 * 2 - 7``."""
    pairs = zip(operators, digits[1:], strict=True)
    return " ".join([str(digits[0]), *(f"{operator} {digit}" for operator, digit in pairs)])


def _problem(number: int) -> Problem:
    digits, operators = terms(number)
    text = expression(digits, operators)
    answer = str(results(digits, operators)[-1])
    return Problem(id=f"arithmetic-{number}", prompt=f"What is {text} ?", answer=answer)
