r"""``words``: generated word problems of one and two steps, a task that needs no download.

A problem reads "Ana has 12 apples and gets 5 more. How many apples does Ana have now?". Its numbers
are whole numbers above 1, its arithmetic is ordinary, and so is its working, line by line.
"""

import operator
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from itertools import product
from typing import ClassVar, NamedTuple

from benchmark.common.parameters import text
from benchmark.tasks.base import Problem, Split, Task
from benchmark.tasks.data import BOXED
from benchmark.tasks.word_kinds import KINDS, NAMES, THINGS, Kind

_STRIDE = 1009  # coprime to every number of wordings, so that all of them come before one returns
_Numbers = tuple[int, ...]
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,  # of divisible numbers only
}


class Line(NamedTuple):
    """A line of a worked answer.

    Attributes:
        text: A sentence, with its calculation.
        result: What the calculation gives.
    """

    text: str
    result: str


class Words(Task):
    """Word problems of 14 kinds, five of one step and nine of two, in turn.

    What split a problem is in depends on the hash of its kind and its numbers: a tenth of these is
    the test's, a tenth validation's, the rest train's. So no two splits share a problem, not even
    one told of other people and things; within a split, the same numbers come back in other words
    only after all others of their kind. No random generator takes part.

    Args:
        suffix: Ends every prompt.
    """

    name: ClassVar[str] = "words"

    def __init__(self, *, suffix: str = BOXED) -> None:
        self.suffix = text("suffix", suffix)

    def split(self, split: Split, size: int) -> list[Problem]:
        self.check(split, size, _sizes())
        return [_problem(each, self.suffix) for each in _chosen(split, size)]

    def workings(self, split: Split, size: int) -> list[tuple[Line, ...]]:
        """Return the lines that solve each of the problems of :meth:`split`."""
        self.check(split, size, _sizes())
        return [_lines(each) for each in _chosen(split, size)]


class _Told(NamedTuple):
    """A problem: numbers of a kind, in one of its wordings."""

    kind: Kind
    numbers: _Numbers
    wording: int

    @property
    def given(self) -> dict[str, int]:
        """The numbers, by the letters of the kind's texts."""
        return dict(zip("abc", self.numbers, strict=False))

    def values(self) -> dict[str, int | str]:
        """Return what the letters of its texts stand for."""
        rest, first = divmod(self.wording, len(NAMES))
        others = [name for name in NAMES if name != NAMES[first]]
        if "{m}" in self.kind.text:
            rest, second = divmod(rest, len(others))
        else:
            second = 0
        told = {"n": NAMES[first], "m": others[second], "t": THINGS[rest % len(THINGS)]}
        return told | self.given


@cache
def _parts(kind: Kind) -> dict[Split, list[_Numbers]]:
    """Return the numbers of a kind that have a working, by split, in the order of their hashes."""
    parts: dict[Split, list[_Numbers]] = {"train": [], "validation": [], "test": []}
    for numbers in sorted(filter(lambda n: _fits(kind, n), product(*kind.numbers)), key=_by(kind)):
        tenth = _hash(kind, numbers) % 10
        parts["test" if tenth == 0 else "validation" if tenth == 1 else "train"].append(numbers)
    return parts


def _by(kind: Kind) -> Callable[[_Numbers], int]:
    return lambda numbers: _hash(kind, numbers)


@cache
def _hash(kind: Kind, numbers: _Numbers) -> int:
    text = " ".join([kind.name, *map(str, numbers)])
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def _fits(kind: Kind, numbers: _Numbers) -> bool:
    """Return whether all results are whole numbers above 1."""
    values = dict(zip("abc", numbers, strict=False))
    return all(result is not None for _, result in _results(kind, values))


def _results(kind: Kind, values: dict[str, int]) -> Iterator[tuple[str, int | None]]:
    """Yield each calculation with its result, None from the first that is no such number."""
    known = dict(values)
    for name, step in zip("xy", kind.steps, strict=False):
        left, sign, right = step.calculation.split()
        first, second = known[left], known[right]
        whole = sign != "/" or first % second == 0
        known[name] = _OPERATIONS[sign](first, second)
        proper = whole and known[name] > 1
        yield f"{first} {sign} {second}", known[name] if proper else None
        if not proper:
            return


@cache
def _sizes() -> dict[Split, int]:
    """Return how many problems a split has before its first kind repeats one."""
    splits: tuple[Split, ...] = ("train", "validation", "test")
    return {
        split: len(KINDS) * min(len(_parts(kind)[split]) * kind.wordings for kind in KINDS)
        for split in splits
    }


def _chosen(split: Split, size: int) -> Iterator[_Told]:
    for rank in range(size):
        turn, number = divmod(rank, len(KINDS))
        kind = KINDS[number]
        part = _parts(kind)[split]
        round_, place = divmod(turn, len(part))
        numbers = part[place]
        first = _hash(kind, numbers) // 10
        yield _Told(kind, numbers, (first + round_ * _STRIDE) % kind.wordings)


def _problem(told: _Told, suffix: str) -> Problem:
    numbers = "-".join(map(str, told.numbers))
    text = told.kind.text.format(**told.values())
    return Problem(
        id=f"words-{told.kind.name}-{numbers}-{told.wording}",
        prompt=f"{text} {suffix}" if suffix else text,
        answer=str(list(_results(told.kind, told.given))[-1][1]),
    )


def _lines(told: _Told) -> tuple[Line, ...]:
    values = told.values()
    results = _results(told.kind, told.given)
    return tuple(
        Line(step.sentence.format(sum=f"{calculation} = {result}", **values), str(result))
        for step, (calculation, result) in zip(told.kind.steps, results, strict=True)
    )
