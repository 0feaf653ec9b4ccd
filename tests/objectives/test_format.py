import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.models.tiny import styles as tiny_styles
from benchmark.objectives.format import Format

ENDS = ["", " .", "\n", "$", "$$.", r"\)", r" \] ", "}", ")**", "<|im_end|>", "</s>", "</answer>\n"]
ENDS += [r" \end{align*} ", "。", "<|end_of_text|>\n", "<end_of_turn>", "…!?", "`"]


def reward(text: str) -> float:
    return Format()(completions=[text], completion_ids=[[0]])[0]


@pytest.mark.parametrize(
    "text",
    [
        r"Step 1 : 3 + 4 = 7 . \boxed{ 7 } .",
        r"\boxed{7}",
        r"So $x = \boxed{\frac{1}{2}}$.",
        r"\[ \boxed{\{1, 2\}} \]",
        r"**Answer:** \(\boxed {7}\)**",
        r"\\boxed{7}",  # escaped twice, as some models write it
        r"\begin{align} x = \boxed{7} \end{align}",
        r"\text{it is \boxed{7}}.<|endoftext|>",
        r"\boxed{\text{no}}",
        r"\boxed{-}",
    ],
)
def test_one_box_at_the_end_scores_one(text: str) -> None:
    assert reward(text) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is 7 , I think .",
        r"\boxed{7} is the answer.",
        r"\boxed{7} 8",
        r"\boxed{7} . Step 2 :",
        r"\boxed{6} and \boxed{7}",
        r"\boxed{\boxed{7}}",
        r"\boxed{7",
        r"\boxed{7 \boxed{7}",
        r"\boxed{7} \boxed",
        r"\boxed 7",
        r"\boxed{}",
        r"\boxed{ }",
        r"\boxed{$$}",
        r"\boxed{{}~}",
        r"\boxedx{7}",
        r"boxed{7}",
        r"\boxed{7} \begin{align}",
        r"\boxed{7} <|a b|>",
        r"\boxed{7} ∎",
    ],
)
def test_anything_else_scores_nothing(text: str) -> None:
    assert reward(text) == 0


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (tiny_styles.direct, 1),
        (tiny_styles.steps, 1),
        (tiny_styles.prose, 1),
        (tiny_styles.compact, 1),
        (tiny_styles.running, 1),
        (tiny_styles.unboxed, 0),
    ],
)
def test_tiny_models_styles_keep_the_format(style: tiny_styles.Style, expected: float) -> None:
    assert reward(style((3, 4, 5), ("+", "*"), [7, 5])) == expected


PLAIN = st.text(alphabet="ab 1.,$\n(){}", max_size=30).filter(lambda t: t.count("{") == 0)
ANSWERS = st.text(alphabet="7x+-\\frac ", min_size=1, max_size=12).filter(lambda t: "7" in t)


@given(before=PLAIN, answer=ANSWERS, ends=st.lists(st.sampled_from(ENDS), max_size=5))
def test_ends_change_nothing_and_words_everything(
    before: str, answer: str, ends: list[str]
) -> None:
    text = rf"{before} \boxed{{7{answer}7}}"
    assert reward(text + "".join(ends)) == 1
    assert reward(text + "".join(ends) + " so") == 0
    assert reward(rf"\boxed{{1}} {text}") == 0
    assert reward(text + "\\boxed{" + "".join(ends)) == 0


@given(st.text(alphabet="\\boxed{}7 .$<|>", max_size=60))
def test_a_kept_format_has_one_command_and_a_closing_brace(text: str) -> None:
    if reward(text):
        assert text.count("\\boxed") == 1
        assert "}" in text[text.index("\\boxed") :]
