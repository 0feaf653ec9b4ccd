import pytest

from benchmark.objectives.boxed import boxes, last_boxed


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so \boxed{7}", "7"),
        (r"\boxed{ 7 }", " 7 "),
        (r"\boxed {7}", "7"),
        (r"\boxed{3} or rather \boxed{4}.", "4"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\left\{ 1, 2 \right.}", r"\left\{ 1, 2 \right."),
        (r"\boxed{\boxed{7}}", "7"),
        (r"x = 2 \\ \boxed{7}", "7"),
        (r"\\boxed{7}", "7"),
        (r"{ a stray brace \boxed{7}", "7"),
        (r"another } one \boxed{7}", "7"),
        (r"\boxed{}", ""),
    ],
)
def test_the_last_box_is_found_with_its_nested_braces(text: str, content: str) -> None:
    assert last_boxed(text) == content


@pytest.mark.parametrize("text", ["", "7", r"\boxed 7", r"\boxed{7", r"\boxed{ {7}", r"\fbox{7}"])
def test_what_is_no_closed_box_is_no_box(text: str) -> None:
    assert last_boxed(text) is None


def test_an_unclosed_box_does_not_hide_an_earlier_one() -> None:
    assert last_boxed(r"\boxed{3} and \boxed{4") == "3"


def test_every_closed_box_is_reported_inner_first() -> None:
    text = r"\boxed{a\boxed{b}} \boxed{c}"
    assert [text[start:end] for start, end in boxes(text)] == ["b", r"a\boxed{b}", "c"]
