"""Pairs of an answer and a reference with the right verdict: a table, and families by rule.

``answer_pairs.txt`` has one pair a line, "verdict | answer | reference", written by hand from the
kinds of answers of MATH and of public reports. The families state their
verdict by arithmetic of Python.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

Pair = tuple[str, str, bool]  # the answer, the reference, whether it is right

TABLE = Path(__file__).with_name("answer_pairs.txt")


def table() -> list[Pair]:
    lines = [line.split(" | ", 2) for line in TABLE.read_text().splitlines()]
    return [(found, expected, verdict == "1") for verdict, found, expected in lines]


def families() -> list[Pair]:
    return [*fractions(), *powers(), *bases(), *brackets(), *quantities(), *lists(), *thousands()]


def fractions() -> Iterator[Pair]:
    """A fraction in six spellings against four others: right if the numbers are equal."""
    values = [Fraction(3, 4), Fraction(-3, 4), Fraction(6, 5), Fraction(4, 3)]
    for value, other in product(values, values):
        over, under = value.numerator, value.denominator
        for found in (
            f"{over}/{under}", rf"\frac{{{2 * over}}}{{{2 * under}}}",
            rf"-\dfrac{{{-over}}}{{{under}}}",
        ):  # fmt: skip
            yield found, rf"\frac{{{other.numerator}}}{{{other.denominator}}}", value == other


def powers() -> Iterator[Pair]:
    """Numbers of which only an exponent differs, tiny or huge."""
    for first, second in product((97, 98, 99), repeat=2):
        yield rf"\frac{{1}}{{2^{{{first}}}}}", rf"2^{{-{second}}}", first == second
        yield f"3^{{{first}}}", f"3 \\cdot 3^{{{second - 1}}}", first == second


def bases() -> Iterator[Pair]:
    digits = ("4210", "4211", "1234")
    for first, second in product(product(digits, (5, 6, 8)), repeat=2):
        yield f"{first[0]}_{first[1]}", f"{second[0]}_{{{second[1]}}}", first == second


def brackets() -> Iterator[Pair]:
    """The same two numbers in different brackets are different answers."""
    forms = ("({},{})", "[{},{}]", "[{},{})", "({},{}]", r"\{{{},{}\}}")
    for first, second in product(forms, repeat=2):
        yield first.format(3, 4), second.format(3, 4), first == second


def quantities() -> Iterator[Pair]:
    units = ("cm", "kg", "hours", "cents")
    for first, second in product(units, repeat=2):
        yield rf"5\text{{ {first}}}", rf"5 \mbox{{ {second}}}", first == second
        yield f"5 {first}", "6", False
        yield "5", rf"5 \text{{ {first}}}", True


def lists() -> Iterator[Pair]:
    """Values in any order; one more, one less or one other is wrong."""
    for found in ("2, 3, 5", "5,3,2", r"3, 2 \text{ and } 5", "2,3", "2,3,5,7", "2,3,6", "2;5;3"):
        right = sorted(int(each) for each in found if each.isdigit()) == [2, 3, 5]
        yield found, "2, 3, 5", right
        yield rf"\{{{found}\}}", "5, 2, 3", right


def thousands() -> Iterator[Pair]:
    for separator in (",", "{,}", r"\,", r"{,}\!", r",\!", r"\ ", r"\;", "~"):
        yield f"70{separator}000", "70000", True
        yield f"70{separator}001", "70000", False
        yield f"1{separator}070{separator}000", "1{,}070{,}000", True
