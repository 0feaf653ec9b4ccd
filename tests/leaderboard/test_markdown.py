"""Markdown that shows names as they are, whatever they hold."""

import pytest

from benchmark.leaderboard.pages.markdown import escape, number, table


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("smooth_tchebycheff", "smooth_tchebycheff"),
        ("a|b", r"a\|b"),
        ("`code`", r"\`code\`"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("R&D", "R&amp;D"),
        ("_em_ and *em*", r"\_em\_ and \*em\*"),
        ("[text](link)", r"\[text\](link)"),
        ("two\nlines", "two lines"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_markup_in_a_name_is_shown_and_not_followed(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_tables_are_aligned_and_say_so() -> None:
    assert table(["name", "n"], [["x", "10"], ["longer", "2"]]) == "\n".join(
        [
            "| name   |  n |",
            "| ------ | -: |",
            "| x      | 10 |",
            "| longer |  2 |",
        ]
    )


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.12349, "", "0.123"),
        (0.5, "+", "+0.500"),
        (-0.0001, "+", "+0.000"),
        (float("nan"), "", "–"),
    ],
)
def test_numbers_have_fixed_decimals_and_no_negative_zero(
    value: float, sign: str, text: str
) -> None:
    assert number(value, sign=sign) == text
