import pytest

from benchmark.objectives.answers.extraction import boxed_answer
from benchmark.objectives.boxed import boxes


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so \boxed{7}", "7"),
        (r"\boxed{ 7 }", "7"),
        (r"\boxed {7}", "7"),
        (r"\boxed{3} or rather \boxed{4}.", "4"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\left\{ 1, 2 \right.}", r"\left\{ 1, 2 \right."),
        (r"\boxed{\boxed{7}}", "7"),
        (r"x = 2 \\ \boxed{7}", "7"),
        (r"\\boxed{7}", "7"),
        (r"{ a stray brace \boxed{7}", "7"),
        (r"another } one \boxed{7}", "7"),
        (r"\fbox{7}", "7"),
        (r"\boxed 7.", "7"),
        (r"\boxed7", "7"),
    ],
)
def test_the_last_box_is_found_with_its_nested_braces(text: str, content: str) -> None:
    assert boxed_answer(text) == content


@pytest.mark.parametrize("text", ["", "7", "boxed 7", r"\boxed{7", r"\boxed{ {7}", r"\boxed{}"])
def test_what_is_no_closed_box_is_no_box(text: str) -> None:
    assert boxed_answer(text) is None


@pytest.mark.parametrize("cut", [r"\boxed{4", r"\boxed{", r"\boxed", r"\box", r"\fbox{4"])
def test_a_cut_last_box_leaves_no_answer(cut: str) -> None:
    """A policy must not gain by being cut while it takes its answer back."""
    assert boxed_answer(rf"So \boxed{{3}}. Hmm wait, it is {cut}") is None


def test_every_closed_box_is_reported_inner_first() -> None:
    text = r"\boxed{a\boxed{b}} \boxed{c}"
    assert [text[start:end] for start, end in boxes(text)] == ["b", r"a\boxed{b}", "c"]
