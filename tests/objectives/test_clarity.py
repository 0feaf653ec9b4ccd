import pytest

from benchmark.objectives.clarity import Clarity, step_markers


def clarity(text: str) -> float:
    (reward,) = Clarity()(completions=[text], completion_ids=[[1]])
    return reward


@pytest.mark.parametrize(
    "text",
    [
        r"Step 1 : 3 + 4 = 7 . Step 2 : 7 * 2 = 4 . Step 3 : 4 - 7 = 7 . \boxed{ 7 }",
        r"Step 1 : 7 Step 2 : 4 \boxed{ 4 }",
        "**Step 1:** Add.\n**Step 2:** Halve.\n\\boxed{4}",
        "1. Add.\n2. Halve.\n\\boxed{4}",
        "  a) Add.\n  b) Halve.\n\\boxed{4}",
        r"iii) Add 3; iv) halve it. \boxed{4}",
        r"We add. (a) Add 3. (b) Halve. \boxed{4}",
        "- Add.\n- Halve.\n\\boxed{4}",
        r"First we add, then we halve: \boxed{4}",
        r"1. Add 3 and 4. 2. Halve. \boxed{4}",
        "\\begin{itemize}\n\\item Add\n\\item Halve\n\\end{itemize} \\boxed{4}",
    ],
)
def test_a_box_with_two_step_markers_is_clear(text: str) -> None:
    assert clarity(text) == 1


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{ 4 }",
        r"Step 1 : 3 + 4 = 7 . \boxed{ 7 }",
        "Step 1 : 7 Step 2 : 4",
        r"Step 1 : 7 Step 2 : 4 \boxed{ }",
        r"Step 1 : 7 Step 2 : 4 \boxed{ 4",
        r"We start with 3 , add 4 to get 7 , so it is \boxed{ 7 } .",
        r"7 , 4 , 7 , \boxed{ 7 }",
    ],
)
def test_without_a_box_or_two_markers_it_is_not_clear(text: str) -> None:
    assert clarity(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "Step 2: x",
        "step 12 ) x",
        "Step 3. x",
        "### Step 4",
        "1. x",
        "(b) x",
        "iv) x",
        "**2.** x",
        "x is done. 2. y",
        "* x",
        "• x",
        "Secondly x",
        "the TENTH x",
        "and Then x",
    ],
)
def test_each_kind_of_marker_counts_once(text: str) -> None:
    assert step_markers(text) == 1


@pytest.mark.parametrize(
    "text",
    [
        "the answer is 2.",
        "the answer is: 2.",
        "the answer is 2. Done",
        "pi is 3.14 or so",
        "3.14 is pi",
        "2.",
        "f(a) = f(2) and (b)(c)",
        "the point (1, 2) is on f(a, b) = 0",
        "3 - 4 * 2",
        "-4 and **bold**",
        "---",
        "footsteps 2: x",
        "thence firsthand nextdoor",
    ],
)
def test_what_merely_looks_like_a_marker_does_not_count(text: str) -> None:
    assert step_markers(text) == 0
