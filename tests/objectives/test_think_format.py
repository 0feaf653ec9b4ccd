import pytest
from hypothesis import given
from hypothesis import strategies as st
from trl.rewards import think_format_reward

from benchmark.objectives.think_format import ThinkFormat


def reward(text: str, *, newlines: bool = False) -> float:
    return ThinkFormat(newlines)(completions=[text], completion_ids=[[0]])[0]


@pytest.mark.parametrize(
    ("text", "plain", "lines"),
    [
        ("<think>so</think>\n<answer>7</answer>", 1, 0),
        ("<think>\nso\n</think>\n<answer>\n7\n</answer>", 1, 1),
        ("<think>\nso\n</think>\n<answer>\n7\n</answer>\n ", 1, 1),
        ("<think>\nso\n</think>\n<answer>7</answer>", 1, 0),
        ("<think>\n</think>\n<answer>\n</answer>", 1, 0),  # one break cannot be first and last
        ("<think></think>\n<answer></answer>", 1, 0),
        ("", 0, 0),
        (" <think>\nso\n</think>\n<answer>\n7\n</answer>", 0, 0),
        ("<think>\nso\n</think><answer>\n7\n</answer>", 0, 0),
        ("<think>\nso\n</think>\n\n<answer>\n7\n</answer>", 0, 0),
        ("<think>\nso\n</think>\n<answer>\n7\n</answer> so", 0, 0),
        ("<think>\n<think>\n</think>\n<answer>\n7\n</answer>", 0, 0),
        ("<think>\nso\n</think>\n<answer>\n</answer>\n</answer>", 0, 0),
        ("<answer>\n7\n</answer>\n<think>\nso\n</think>", 0, 0),
        ("so\n</think>\n<answer>\n7\n</answer>", 0, 0),
        ("<THINK>so</THINK>\n<answer>7</answer>", 0, 0),
    ],
)
def test_blocks_in_order_with_each_tag_once(text: str, plain: float, lines: float) -> None:
    assert reward(text) == plain
    assert reward(text, newlines=True) == lines


PIECES = st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "\n", "7 "])


@given(st.lists(PIECES, max_size=8))
def test_what_is_kept_begins_as_trl_wants_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    if reward(text):
        assert think_format_reward([[{"role": "assistant", "content": text}]]) == [1.0]
        assert reward(f"{text} so") == reward(f"so {text}") == reward(2 * text) == 0
