"""Which box of a completion counts, by whole completions; the reference is 7 unless it is said."""

import time

import pytest

from benchmark.objectives import make_objectives
from benchmark.objectives.answers.extraction import answer_turn, boxed_answer

RIGHT = {
    "an invented next turn": "It is \\boxed{7}.\nuser\nWhat is 1+1?\nassistant\n\\boxed{2}.",
    "an invented turn with a colon": "It is \\boxed{7}\n\nHuman: and 1+1?\n\nAssistant: \\boxed{2}",
    "an end of turn that stops nothing": r"\boxed{7}<|im_end|> \boxed{8}",
    "another end of turn": r"\boxed{7}<|eot_id|><|start_header_id|>user \boxed{8}",
    "a role first": "assistant\nThe answer is \\boxed{7}.",
    "an echoed instruction": r"It is \boxed{7}. Please put your final answer within \boxed{}.",
    "an echo with dots": r"It is \boxed{7}, as \boxed{...} asks.",
    "a box without braces": r"So \boxed 7",
    "a number in a box without braces": r"So \boxed 7.",
    "fbox": r"So \fbox{7}",
    "colour around": r"\color{red}{\boxed{7}}",
    "colour inside": r"\boxed{\color{red}{7}}",
    "textcolor inside": r"\boxed{\textcolor{blue}{7}}",
    "thinking before": r"<think>maybe \boxed{8}</think> \boxed{7}",
    "thinking opened in the prompt": r"maybe \boxed{8} </think> \boxed{7}",
    "thinking cut, then nothing": r"\boxed{7} <think>or \boxed{8}",
    "one box twice": r"\boxed{7} \boxed{7}",
    "a change of mind": r"\boxed{8}. No, wait, \boxed{7}.",
    "a box in a box": r"\boxed{x = \boxed{7}}",
}
WRONG = {
    "only empty": r"Put it in \boxed{}.",
    "nothing": "7",
    "cut last box": r"So \boxed{7}. Hmm wait, it is \boxed{8",
    "cut at the command": r"So \boxed{7}. Hmm wait, it is \boxed",
    "cut within the command": r"So \boxed{7}. Hmm wait, it is \box",
    "thinking alone": r"<think>maybe \boxed{7}</think> I do not know",
    "thinking unclosed": r"<think>maybe \boxed{7}",
    "right in an invented turn": "\\boxed{8}\nuser\nWhat is 7?\nassistant\n\\boxed{7}",
    "hedged": r"\boxed{8} or \boxed{7}",
    "hedged in one": r"\boxed{8 or 7}",
    "hedged without a word": r"\boxed{8} \boxed{7}",
}


def accuracy(text: str, answer: str = "7") -> float:
    (objective,) = make_objectives(["accuracy"])
    (reward,) = objective(completions=[text], completion_ids=[[1]], answer=[answer])
    return reward


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT.keys())
def test_the_box_that_answers_is_found(text: str) -> None:
    assert accuracy(text) == 1


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_answer_is_not_taken_for_one(text: str) -> None:
    assert accuracy(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        r"x is \boxed{3} or \boxed{5}.",
        r"$\boxed{5}$, $\boxed{3}$",
        r"\boxed{3} \text{ and } \boxed{5}",
        r"\boxed{3, 5}",
        r"\boxed{3 \text{ or } 5}",
    ],
)
def test_boxes_side_by_side_are_one_answer(text: str) -> None:
    assert accuracy(text, "3,5") == 1
    assert accuracy(text, "5") == 0


def test_boxes_with_a_sentence_between_are_two_answers() -> None:
    assert boxed_answer(r"First \boxed{3}. Then \boxed{5}") == "5"


def test_a_turn_ends_where_the_next_begins() -> None:
    assert answer_turn("one\nuser\ntwo") == "one\n"
    assert answer_turn("a user\nsays: user one") == "a user\nsays: user one"
    assert answer_turn("<think>user:\nx</think>y</s>z") == "y"


@pytest.mark.parametrize(
    "part",
    ["<think>", "</think>", "\nuser", "\\boxed ", "\\boxed 7 ", r"\boxed{7},", "\\bo\n", "\n#", "{",
     r"\boxed{7}" + "," * 41, "</s>", "<|im_end|>", " "],
)  # fmt: skip
def test_extraction_takes_time_linear_in_the_text(part: str) -> None:
    text = (part * 200_000)[:200_000]
    start = time.process_time()
    boxed_answer(text + r" \boxed{7}")
    assert time.process_time() - start < 5  # 0.2 s; quadratic ones took minutes
