"""Verdicts on pairs of answers, by table, by family and by random trees."""

import time
from collections.abc import Callable
from fractions import Fraction

import pytest
from answer_pairs import families, table
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.objectives.answers.verdicts import questions, right
from benchmark.objectives.verifier import all_equivalent

PAIRS = [*table(), *families()]


def verdicts(pairs: list[tuple[str, str]]) -> list[bool]:
    """Return whether each (answer, reference) is right."""
    asked = [questions(expected, found) for found, expected in pairs]
    judged = all_equivalent({question for some in asked for question in some or ()})
    return [
        some is not None and right(expected, found, judged.__getitem__)
        for (found, expected), some in zip(pairs, asked, strict=True)
    ]


def verdict(found: str, expected: str) -> bool:
    return verdicts([(found, expected)])[0]


def unasked(found: str, expected: str) -> bool:
    """Return the verdict of a pair that needs no verifier."""
    return bool(right(expected, found, lambda pair: pytest.fail(f"asked {pair}")))


def test_no_pair_of_the_table_gets_a_wrong_verdict() -> None:
    assert len(set(PAIRS)) >= 400
    found = verdicts([pair[:2] for pair in PAIRS])
    assert [pair for pair, right in zip(PAIRS, found, strict=True) if pair[2] != right] == []


def test_both_directions_of_the_table_are_filled() -> None:
    assert 150 < sum(right for *_, right in PAIRS) < len(PAIRS) - 150


def test_a_batch_gets_the_verdicts_of_its_pairs_alone() -> None:
    some = [pair[:2] for pair in table()[::9]]
    assert verdicts(some) == [verdict(*pair) for pair in some]


# --- random answers ----------------------------------------------------------------------------

INTEGERS = st.integers(-(10**12), 10**12)
FRACTIONS = st.fractions(-1000, 1000, max_denominator=1000)


def written(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


LEAVES = st.one_of(
    INTEGERS.map(str),
    FRACTIONS.map(written),
    st.sampled_from(["x", "y", r"\pi", r"\sqrt{2}", "0.25", "e", r"\theta", r"\sin x"]),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]})+({two[1]})"),
        st.tuples(inner, inner).map(lambda two: rf"\frac{{{two[0]}}}{{{two[1]}}}"),
        inner.map(lambda one: rf"\sqrt{{{one}}}"),
        inner.map(lambda one: f"({one})^{{2}}"),
    ),
    max_leaves=4,
)
ANSWERS = st.one_of(
    EXPRESSIONS,
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda two: f"({two[0]}, {two[1]})"),
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda two: f"{two[0]}, {two[1]}"),
    st.tuples(st.text("01234", min_size=1, max_size=9), st.integers(5, 12)).map(
        lambda two: f"{two[0]}_{{{two[1]}}}"
    ),
)


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_every_answer_is_itself_whatever_its_blanks(answer: str) -> None:
    assert unasked(answer, answer)
    blanks = answer.replace("+", " + ").replace("}{", "} {").replace(",", " , ").replace("(", "( ")
    assert unasked(f"  {blanks}\n", answer)
    assert unasked(answer, blanks)


@settings(max_examples=150, deadline=None)
@given(st.one_of(LEAVES, st.sampled_from(["Evelyn", "even", "(E)", "5 cm"])))
def test_text_around_an_answer_changes_nothing(answer: str) -> None:
    for command in ("text", "mathrm", "textbf", "mbox"):
        assert unasked(rf"\{command}{{{answer}}}", answer) or "\\" in answer


@settings(max_examples=200, deadline=None)
@given(INTEGERS, INTEGERS)
def test_different_whole_numbers_are_never_equal(first: int, second: int) -> None:
    for form in ("{}", "{:,}", r"{}.0", "({})", r"\text{{{}}}", "x = {}", r"\{{{}\}}"):
        assert unasked(form.format(first), str(second)) == (first == second)


@settings(max_examples=200, deadline=None)
@given(FRACTIONS, FRACTIONS)
def test_different_fractions_are_never_equal(first: Fraction, second: Fraction) -> None:
    plain = f"{first.numerator}/{first.denominator}"
    for found in (
        written(first),
        plain,
        rf"\frac{{{first.numerator * 7}}}{{{first.denominator * 7}}}",
    ):
        assert unasked(found, written(second)) == (first == second)


@settings(max_examples=200, deadline=None)
@given(*[st.tuples(st.from_regex(r"[1-4][0-4]{0,8}", fullmatch=True), st.integers(5, 12))] * 2)
def test_different_numbers_of_bases_are_never_equal(
    first: tuple[str, int], second: tuple[str, int]
) -> None:
    assert unasked(f"{first[0]}_{first[1]}", f"{second[0]}_{{{second[1]}}}") == (first == second)


@settings(max_examples=200, deadline=None)
@given(*[st.lists(st.integers(-20, 20), min_size=2, max_size=5)] * 2)
def test_different_tuples_are_never_equal(first: list[int], second: list[int]) -> None:
    one, other = (", ".join(map(str, numbers)) for numbers in (first, second))
    assert unasked(f"({one})", f"({other})") == (first == second)
    assert unasked(one, other) == (sorted(first) == sorted(second))
    assert not unasked(rf"\{{{one}\}}", f"({one})")


# --- text that is meant to cost ------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        "7^{2}" + "^{2}" * 60, "10^{10^{10}}", "9^{" * 30 + "9" + "}" * 30, "(10^9)!", "1" * 1000,
        "(x+1)" * 49, r"\sqrt{" * 30 + "7" + "}" * 30, "(1," * 150 + "1" + ")" * 150,
        r"\{" * 150 + "7" + r"\}" * 150, "(x+y+z)^{100000}", r"\sin(" * 35 + "x" + ")" * 35,
        "x=" * 200 + "7", r"\frac{1}{1+" * 38 + "1" + "}" * 38, ",".join("7" * 400), "0^{0}", "1/0",
        "\ud800", "\x00", r"2^{99999}", r"\frac{7}{x-x}",
    ],
    ids=lambda found: repr(found[:20]),
)  # fmt: skip
def test_hopeless_text_is_refused_without_asking(found: str) -> None:
    assert questions("8", found) is None


@pytest.mark.parametrize(
    "hostile",
    [
        lambda k: "7" + "^{2}" * (60 + k % 16) + "+1" * (k // 16),
        lambda k: f"(x+{k})" * 45,
        lambda k: "(1," * 38 + str(k) + ")" * 38,
        lambda k: str(k) + "1" * 900,
    ],
    ids=["superscripts", "products", "tuples", "digits"],
)
def test_hostile_batches_take_a_few_seconds_at_most(hostile: Callable[[int], str]) -> None:
    """512 different wrong answers: 0.1 to 2.4 s of processor time, and nobody is asked."""
    start = time.process_time()
    assert [questions("7", hostile(k)) for k in range(512)] == [None] * 512
    assert time.process_time() - start < 5


@pytest.mark.parametrize("found", ["7^{2}^{2}", "7 8", "7+", "(7", r"\frac{7}", "7_", "8 = 7"])
def test_malformed_answers_are_refused(found: str) -> None:
    assert questions("7", found) is None


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ("**73**", "73", True),
        ("**73**", "74", False),
        ("2**3", "8", True),
        ("14.0 + -1.0i", "14 - i", True),
        ("2x + -3", "2x - 3", True),
        ("2x + -3", "2x + 3", False),
        ("2 +-3", "-1", False),  # it may stand for plus or minus
    ],
)
def test_bold_text_and_a_plus_before_a_minus_are_read(
    found: str, expected: str, same: bool
) -> None:
    assert verdict(found, expected) is same
