"""The kinds of word problems that ``words`` generates, with their working."""

from dataclasses import dataclass
from typing import NamedTuple

NAMES = [
    "Ana",
    "Ben",
    "Cora",
    "Dan",
    "Eva",
    "Finn",
    "Gina",
    "Hugo",
    "Iris",
    "Jon",
    "Kim",
    "Leo",
    "Mia",
    "Noah",
    "Olga",
    "Paul",
]
THINGS = [
    "apples",
    "books",
    "coins",
    "stamps",
    "marbles",
    "pencils",
    "shells",
    "cards",
    "eggs",
    "stickers",
]


class Step(NamedTuple):
    """A calculation, such as ``x * c``, and the sentence around it; its result is x, then y."""

    calculation: str
    sentence: str


@dataclass(frozen=True)
class Kind:
    """One kind of problem.

    Attributes:
        name: Part of the problems' ids.
        text: The problem, with its numbers a, b and c, a name n, another m, and things t.
        numbers: The values that each number takes.
        steps: Its working.
    """

    name: str
    text: str
    numbers: tuple[range, ...]
    steps: tuple[Step, ...]

    @property
    def wordings(self) -> int:
        """How many texts its problems have for the same numbers."""
        others = len(NAMES) - 1 if "{m}" in self.text else 1
        return len(NAMES) * others * (len(THINGS) if "{t}" in self.text else 1)


def _kind(name: str, text: str, numbers: tuple[range, ...], *steps: tuple[str, str]) -> Kind:
    return Kind(name, text, numbers, tuple(Step(*step) for step in steps))


_FEW, _SOME, _MANY = range(2, 10), range(2, 21), range(2, 61)
KINDS = (
    _kind(
        "more",
        "{n} has {a} {t} and gets {b} more. How many {t} does {n} have now?",
        (_MANY, _MANY),
        ("a + b", "{n} now has {sum} {t}."),
    ),
    _kind(
        "lost-and-got",
        "{n} had {a} {t}, lost {b} and got {c} new ones. How many {t} does {n} have now?",
        (_MANY, _SOME, _FEW),
        ("a - b", "{n} was left with {sum} {t}."),
        ("x + c", "{n} now has {sum} {t}."),
    ),
    _kind(
        "fewer",
        "{n} has {a} {t} and gives {b} of them to {m}. How many {t} does {n} have left?",
        (range(5, 100), _MANY),
        ("a - b", "{n} has {sum} {t} left."),
    ),
    _kind(
        "together",
        "{n} has {a} {t}. {m} has {b} more than {n}. How many {t} do they have together?",
        (_MANY, _MANY),
        ("a + b", "{m} has {sum} {t}."),
        ("a + x", "Together they have {sum} {t}."),
    ),
    _kind(
        "boxes",
        "{n} buys {a} boxes with {b} {t} in each. How many {t} does {n} buy?",
        (range(2, 26), range(2, 26)),
        ("a * b", "{n} buys {sum} {t}."),
    ),
    _kind(
        "boxes-and-more",
        "{n} buys {a} boxes with {b} {t} in each and then finds {c} more. "
        "How many {t} does {n} have?",
        (_FEW, range(2, 13), _SOME),
        ("a * b", "There are {sum} {t} in the boxes."),
        ("x + c", "{n} has {sum} {t}."),
    ),
    _kind(
        "shared",
        "{n} shares {a} {t} equally among {b} friends. How many {t} does each friend get?",
        (range(4, 241), range(2, 13)),
        ("a / b", "Each friend gets {sum} {t}."),
    ),
    _kind(
        "joined-and-shared",
        "{n} has {a} {t} and {m} has {b}. They share them equally among {c} friends. "
        "How many {t} does each friend get?",
        (_MANY, _SOME, _FEW),
        ("a + b", "Together they have {sum} {t}."),
        ("x / c", "Each friend gets {sum} {t}."),
    ),
    _kind(
        "older",
        "{n} is {a} years old. {m} is {b} years older. How old is {m}?",
        (_MANY, range(2, 31)),
        ("a + b", "{m} is {sum} years old."),
    ),
    _kind(
        "change",
        "A pack of {t} costs {a} dollars. {n} buys {b} packs and pays with {c} dollars. "
        "How many dollars does {n} get back?",
        (range(2, 16), _FEW, range(10, 101, 5)),
        ("a * b", "The packs cost {sum} dollars."),
        ("c - x", "{n} gets {sum} dollars back."),
    ),
    _kind(
        "compared",
        "{n} has {a} {t} and {m} has {b}. How many more {t} does {n} have than {m}?",
        (range(5, 100), _MANY),
        ("a - b", "{n} has {sum} more {t} than {m}."),
    ),
    _kind(
        "at-first",
        "A pack of {t} costs {a} dollars. {n} buys {b} packs and has {c} dollars left. "
        "How many dollars did {n} have at first?",
        (range(2, 13), _FEW, _SOME),
        ("a * b", "The packs cost {sum} dollars."),
        ("x + c", "{n} had {sum} dollars at first."),
    ),
    _kind(
        "broken",
        "{n} carries {a} boxes with {b} {t} in each. Of these {t}, {c} get lost. "
        "How many {t} are left?",
        (_FEW, range(3, 15), _SOME),
        ("a * b", "{n} carries {sum} {t}."),
        ("x - c", "There are {sum} {t} left."),
    ),
    _kind(
        "times-as-many",
        "{n} has {a} {t}. {m} has {b} times as many. How many more {t} does {m} have than {n}?",
        (_MANY, _FEW),
        ("a * b", "{m} has {sum} {t}."),
        ("x - a", "{m} has {sum} more {t} than {n}."),
    ),
)
