import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objectives
from benchmark.objectives.verifier import MAX_CHARACTERS, outcome


def accuracy(text: str, answer: str) -> float:
    (objective,) = make_objectives(["accuracy"])
    (reward,) = objective(completions=[text], completion_ids=[[1]], answer=[answer])
    return reward


@pytest.mark.parametrize(
    ("boxed", "answer"),
    [
        (" 7 ", "7"),
        ("007", "7"),
        ("7.0", "7"),
        ("7 .", "7"),
        ("$7$", "7"),
        ("x = 5", "5"),
        ("1{,}000", "1000"),
        ("2/3", r"\frac{2}{3}"),
        (r"\dfrac23", r"\frac{2}{3}"),
        (r"\frac12", "0.5"),
        (r"2\sqrt2", r"\sqrt{8}"),
        ("(x+1)^2", "x^2+2x+1"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})"),
        (r"\begin{bmatrix}1\\2\end{bmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"18", r"\$18"),
        (r"90^\circ", "90"),
        (r"5\text{ cm}", "5"),
        ("Evelyn", r"\text{Evelyn}"),
        ("10:30", "10:30"),
    ],
)
def test_an_equivalent_answer_scores_one(boxed: str, answer: str) -> None:
    assert accuracy(rf"We get \boxed{{{boxed}}}.", answer) == 1


@pytest.mark.parametrize(
    ("boxed", "answer"),
    [
        ("4", "7"),
        ("-7", "7"),
        ("", "7"),
        ("   ", "7"),
        ("Step 7 :", "6"),
        ("3, 7", "7"),
        ("6$ or $7", "7"),
        ("0.33", "1/3"),
        ("(2,1)", "(1,2)"),
        ("(1,2)", "[1,2)"),
        ("(x+2)^2", "x^2+2x+1"),
        (r"\text{Carla}", r"\text{Evelyn}"),
        (r"\frac{7}{", "7"),
    ],
)
def test_another_answer_scores_zero(boxed: str, answer: str) -> None:
    assert accuracy(rf"We get \boxed{{{boxed}}}.", answer) == 0


@pytest.mark.parametrize("text", ["7", "the answer is 7", r"\boxed{7", r"\boxed{7} no, \boxed{8}"])
def test_only_a_right_last_box_counts(text: str) -> None:
    assert accuracy(text, "7") == 0


@pytest.mark.parametrize("found", ["1" * 100_000, "{" * 50_000 + "}" * 50_000, "x+" * 50_000])
def test_a_huge_answer_is_not_given_to_the_verifier(found: str) -> None:
    assert len(found) > MAX_CHARACTERS
    asked = outcome.cache_info().misses
    assert accuracy(rf"\boxed{{{found}}}", "7") == 0
    assert outcome.cache_info().misses <= asked + 1
    assert not outcome("7", found).equivalent


def test_texts_and_whole_numbers_need_no_verifier() -> None:
    asked = outcome.cache_info()
    assert accuracy(r"\boxed{ 7 }", "7") == 1
    assert accuracy(r"\boxed{ 4 }", "7") == 0
    assert accuracy(r"\boxed{\frac{1}{2}}", r"\frac{1}{2}") == 1
    assert outcome.cache_info() == asked


def test_a_dataset_without_answers_is_named() -> None:
    (objective,) = make_objectives(["accuracy"])
    with pytest.raises(CrosstalkError, match=r"column 'answer', got solution"):
        objective(completions=["7"], completion_ids=[[1]], solution=["7"])
