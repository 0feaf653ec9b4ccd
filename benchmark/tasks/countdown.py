r"""``countdown``: generated puzzles, to make a number from others, a task that needs no download.

A problem reads "Use each of the numbers 3, 12 and 7 once, with +, -, *, / and parentheses, to make
43." Its answer column holds the numbers and the target, ``3 12 7 -> 43``; the objective
``countdown`` checks an expression against it.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from math import comb, gcd
from typing import ClassVar, NamedTuple

from benchmark.common.parameters import integer, refuse, text
from benchmark.tasks.base import Problem, Split, Task
from benchmark.tasks.data import BOXED

MOST_NUMBERS = 6
LARGEST_TARGET = 100
ARROW = " -> "  # between the numbers and the target, in the answer column
_GOLDEN = (618_033_989, 10**9)  # steps of this share of a whole visit it evenly
_ATTEMPTS = 64  # expressions drawn before the plain one is taken


class Puzzle(NamedTuple):
    """A problem's numbers, in the order they are told, and an expression that solves it."""

    numbers: tuple[int, ...]
    expression: str
    target: int


class Countdown(Task):
    """Puzzles of a few numbers and a target from 1 to 100, each solvable.

    Every multiset of so many numbers from 1 to ``largest`` makes one puzzle. In one fixed order,
    the first tenth of them is the test split, the next tenth validation, the rest train: no two
    splits, and no two problems, have the same numbers. The target is what an expression of these
    numbers comes to, drawn by a hash, with whole results above 0 on the way. No random generator
    takes part.

    Args:
        numbers: How many numbers a puzzle has, 2 to 6; several counts take turns.
        largest: The largest number, up to 99.
        suffix: Ends every prompt.
    """

    name: ClassVar[str] = "countdown"
    judge: ClassVar[str] = "countdown"  # the objective that knows what its answers mean

    def __init__(
        self, *, numbers: Sequence[int] = (3, 4), largest: int = 50, suffix: str = BOXED
    ) -> None:
        if not isinstance(numbers, list | tuple) or not numbers:
            refuse("numbers", f"a list of counts from 2 to {MOST_NUMBERS}", numbers)
        for count in numbers:
            if integer("numbers", count, minimum=2) > MOST_NUMBERS:
                refuse("numbers", f"at most {MOST_NUMBERS}", count)
        self.numbers = tuple(dict.fromkeys(numbers))
        if integer("largest", largest, minimum=2) > 99:
            refuse("largest", "at most 99", largest)
        self.largest = largest
        self.suffix = text("suffix", suffix)

    def split(self, split: Split, size: int) -> list[Problem]:
        return [self._problem(puzzle) for puzzle in self.puzzles(split, size)]

    def puzzles(self, split: Split, size: int) -> list[Puzzle]:
        """Return the puzzles of :meth:`split`, with a solution each."""
        parts = {count: _parts(_whole(count, self.largest)) for count in self.numbers}
        splits: tuple[Split, ...] = ("train", "validation", "test")
        sizes = {
            name: len(parts) * min(len(part[name]) for part in parts.values()) for name in splits
        }
        self.check(split, size, sizes)
        return list(self._chosen(parts, split, size))

    def _chosen(
        self, parts: dict[int, dict[Split, range]], split: Split, size: int
    ) -> Iterator[Puzzle]:
        for rank in range(size):
            turn, place = divmod(rank, len(self.numbers))
            count = self.numbers[place]
            whole = _whole(count, self.largest)
            index = (parts[count][split][turn] + 1) * _stride(whole) % whole
            yield _puzzle(_multiset(index, count))

    def _problem(self, puzzle: Puzzle) -> Problem:
        *some, last = map(str, puzzle.numbers)
        told = (
            f"Use each of the numbers {', '.join(some)} and {last} once, with +, -, *, / and "
            f"parentheses, to make {puzzle.target}."
        )
        numbers = "-".join(map(str, sorted(puzzle.numbers)))
        return Problem(
            id=f"countdown-{numbers}",
            prompt=f"{told} {self.suffix}" if self.suffix else told,
            answer=f"{' '.join(map(str, puzzle.numbers))}{ARROW}{puzzle.target}",
        )


def _whole(count: int, largest: int) -> int:
    """Return how many multisets of ``count`` numbers from 1 to ``largest`` there are."""
    return comb(largest + count - 1, count)


def _parts(whole: int) -> dict[Split, range]:
    """Return the places of each split in the fixed order of ``whole`` multisets."""
    tenth = whole // 10
    return {
        "test": range(tenth),
        "validation": range(tenth, 2 * tenth),
        "train": range(2 * tenth, whole),
    }


@cache
def _stride(whole: int) -> int:
    """Return a step near the golden share of ``whole``, and coprime to it: it visits all once."""
    stride = max(1, whole * _GOLDEN[0] // _GOLDEN[1])
    while gcd(stride, whole) > 1:
        stride += 1
    return stride


def _multiset(index: int, count: int) -> tuple[int, ...]:
    """Return the multiset of numbers above 0 that has an index: the combinatorial number system.

    For each count it maps 0, 1, 2, … one to one onto the multisets of that many numbers, those of
    smaller numbers first.
    """
    found = []
    for left in range(count, 0, -1):
        top = left - 1
        while comb(top + 1, left) <= index:
            top += 1
        index -= comb(top, left)
        found.append(top - left + 2)
    return tuple(reversed(found))


def _puzzle(numbers: tuple[int, ...]) -> Puzzle:
    """Return the puzzle of a multiset; its order and its target come from its hash."""
    drawn = (_drawn(numbers, attempt) for attempt in range(_ATTEMPTS))
    wanted = (
        puzzle
        for puzzle in drawn
        if 1 <= puzzle.target <= LARGEST_TARGET and puzzle.target not in numbers
    )
    return next(wanted, None) or _plain(numbers)


def _drawn(numbers: tuple[int, ...], attempt: int) -> Puzzle:
    """Return a puzzle whose target is what an expression comes to that a hash spells out."""
    bits = int.from_bytes(sha256(f"{numbers} {attempt}".encode()).digest())
    order, terms = [], list(numbers)
    while terms:
        bits, place = divmod(bits, len(terms))
        order.append(terms.pop(place))
    parts = [(str(number), number) for number in order]
    while len(parts) > 1:
        bits, first = divmod(bits, len(parts))
        left = parts.pop(first)
        bits, second = divmod(bits, len(parts))
        joined = _joined(left, parts.pop(second))
        bits, which = divmod(bits, len(joined))
        parts.append(joined[which])
    ((expression, target),) = parts
    return Puzzle(tuple(order), expression.removeprefix("(").removesuffix(")"), target)


def _joined(left: tuple[str, int], right: tuple[str, int]) -> list[tuple[str, int]]:
    """Return the operations on two terms whose result is a whole number above 0."""
    (one, a), (other, b) = left, right
    found = [(f"({one} + {other})", a + b), (f"({one} * {other})", a * b)]
    if a > b:
        found.append((f"({one} - {other})", a - b))
    if a % b == 0:
        found.append((f"({one} / {other})", a // b))
    return found


def _plain(numbers: tuple[int, ...]) -> Puzzle:
    """Return a puzzle that every multiset has: the numbers from above, taken away and added.

    Of an odd count that is at least the smallest number and at most the largest; of an even one it
    is 0 only where the numbers are equal in pairs, and then a quotient of two makes it 1.
    """
    order = sorted(numbers, reverse=True)
    signs = "-+" * (len(order) // 2)
    target = order[0] + sum(
        number if sign == "+" else -number for sign, number in zip(signs, order[1:], strict=False)
    )
    if target == 0:
        signs, target = f"/{signs[1:]}", 1
    terms = [f"{sign} {number}" for sign, number in zip(signs, order[1:], strict=False)]
    return Puzzle(numbers, " ".join([str(order[0]), *terms]), target)
