import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objective
from benchmark.objectives.countdown import solves
from benchmark.objectives.expressions import DEEPEST, LONGEST, Malformed, parse, spelled

GIVEN, TARGET = (3, 12, 7), 43  # 3 * 12 + 7


def reward(text: str, answer: str = "3 12 7 -> 43") -> float:
    return make_objective("countdown")(completions=[text], completion_ids=[[1]], answer=[answer])[0]


@pytest.mark.parametrize(
    "text",
    [
        *("3*12+7", "7 + 12 * 3", "(3 * 12) + 7", "((7)+((12*3)))", " 3*12 + 7 "),
        *("3*12+7=43", "43 = 7+3*12", "3*12+7 = 43 "),
        *(r"3 \times 12 + 7", r"3\cdot12+7", "3×12+7", r"\left(3*12\right)+7", "$3*12+7$"),
    ],
)
def test_an_expression_of_all_numbers_makes_the_target(text: str) -> None:
    assert solves(text, GIVEN, TARGET)
    assert reward(rf"So \boxed{{{text}}}.") == 1


OTHER_NUMBERS = ["43", "3*12+7+0", "3*12", "36+7", "3*12+7+7", "3*3*12+7-7", ""]
OTHER_VALUES = ["12*3-7", "3*12+7=42", "3*12+7=44-1", "=43", "43=43", "3*12+7==43", "43=3*12+7=43"]
NO_SUMS = ["3(12)+7", "3 12 * 7", "(3*12+7", "3*12+7)", "()", "3*+12", "3**12", "3^12", "-3*12+7"]
NO_TOKENS = ["3*12+7;", "__import__('os')", "3*12+7 # so", "3.0*12+7", "٣*12+7", "\x00", "x" * 500]
NO_TOKENS += ["3//12", r"3\timesx12+7", "3e0*12+7", "3*12+7!", "3*12+7" + "+0" * 100]


@pytest.mark.parametrize("text", [*OTHER_NUMBERS, *OTHER_VALUES, *NO_SUMS, *NO_TOKENS])
def test_anything_else_does_not(text: str) -> None:
    assert not solves(text, GIVEN, TARGET)
    assert reward(rf"So \boxed{{{text}}}.") == 0


def test_values_are_exact_fractions() -> None:
    assert solves("(8/3)*9", (8, 3, 9), 24)
    assert solves("8/(3-8/3)", (8, 8, 3, 3), 24)  # no whole number on the way
    assert solves(r"\frac{8}{3} * 9", (8, 3, 9), 24)
    assert solves(r"8 \div 4", (4, 8), 2)
    assert not solves("1/3*2", (1, 2, 3), 1)


def test_what_divides_by_nothing_has_no_value() -> None:
    assert parse("7/(3-3)").value is None
    assert parse("1+(2*(7/(3-3)))").numbers == (1, 2, 7, 3, 3)
    assert not solves("0*(7/(3-3))", (0, 7, 3, 3), 0)


def test_length_depth_and_digits_have_limits() -> None:
    assert parse("(" * DEEPEST + "7" + ")" * DEEPEST).value == 7
    for text in ("(" * (DEEPEST + 1) + "7" + ")" * (DEEPEST + 1), "1" * 10, "1+" * LONGEST + "1"):
        with pytest.raises(Malformed):
            parse(text)
    assert parse("1+" * (LONGEST // 2 - 1) + "1").value == LONGEST // 2
    assert reward(r"\boxed{" + "(" * 100_000 + "}") == 0


EXPRESSIONS = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({''.join(t)})"),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_values_are_those_of_python_with_fractions(text: str) -> None:
    told = re.sub(r"(\d+)", r"Fraction(\1)", text)  # an expression that was made here
    try:
        expected = eval(told, {"Fraction": Fraction})  # noqa: S307
    except ZeroDivisionError:
        expected = None
    found = parse(text)
    assert found.value == expected
    assert found.numbers == tuple(map(int, re.findall(r"\d+", text)))
    assert parse(spelled(text.replace("*", r" \times ").replace("-", "−"))) == found


@given(st.text("0123456789+-*/() =.", max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except Malformed:
        return
    assert found.numbers
    assert not any(a.isdigit() and b.isdigit() for a, b in pairwise(text.split()))


def test_the_box_is_found_as_accuracy_finds_it() -> None:
    assert reward(r"\boxed{7+3*12} no, \boxed{3*12-7}") == 0
    assert reward(r"<think>\boxed{1}</think> \boxed{7+3*12}") == 1
    assert reward("7+3*12") == 0


@pytest.mark.parametrize(
    "answer", ["43", "3 12 7", "3 x -> 43", "-> 43", "3 12 7 -> ", 43, "²  -> 4"]
)
def test_an_answer_of_another_task_is_refused(answer: Any) -> None:
    with pytest.raises(
        CrosstalkError, match=r"^objective 'countdown': column 'answer': expected numbers and a ta"
    ):
        reward(r"\boxed{1}", answer)
    with pytest.raises(CrosstalkError, match="expected the dataset column 'answer', got question"):
        make_objective("countdown")(completions=["x"], completion_ids=[[1]], question=["?"])
