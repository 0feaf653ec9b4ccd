import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.tool_call import Call, ToolCall, agreement

NAMES = st.sampled_from(["search", "add", "send"])
VALUES = st.one_of(st.integers(0, 2), st.sampled_from(["a", "b"]))
CALLS = st.lists(
    st.builds(Call, NAMES, st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)), max_size=4
)


def block(*calls: dict[str, Any]) -> str:
    lines = "\n".join(json.dumps(call) for call in calls)
    return f"<think>which?</think>\n<tool_call>\n{lines}\n</tool_call>"


def call(name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "parameters": parameters}


def reward(text: str, answer: str, **settings: Any) -> float:
    (found,) = ToolCall(**settings)(completions=[text], completion_ids=[[1]], answer=[answer])
    return found


def test_shares_by_hand() -> None:
    answer = block(call("add", x=1, y=2))
    assert reward(answer, answer) == 1
    # The name 1, parameters' names 1, one of two values, of 1 + 1 + 2.
    assert reward(block(call("add", x=1, y=3)), answer) == pytest.approx(3 / 4)
    # One of two names, parameters' names 1 of 3 (x of x, y, z), value of x.
    assert reward(block(call("add", x=1, z=2)), answer) == pytest.approx((1 + 1 / 3 + 1) / 4)
    assert reward(block(call("sub", x=1, y=2)), answer) == 0
    both = block(call("add", x=1, y=2), call("send"))
    assert reward(both, answer) == pytest.approx((1 / 2 + 3) / 4)


def test_a_call_is_matched_once_and_best() -> None:
    answer = block(call("add", x=1), call("add", x=2))
    swapped = block(call("add", x=2), call("add", x=1))
    assert reward(swapped, answer) == pytest.approx((1 + 2 + 2) / (1 + 2 + 2))
    once = block(call("add", x=2))
    assert reward(once, answer) == pytest.approx((1 / 2 + 1) / 5)  # taken by the first, which is 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "<tool_call>", "</tool_call><tool_call>", block() + "<tool_call>"),
        *("<tool_call>\nnot json\n</tool_call>", "<tool_call>\n[1]\n</tool_call>"),
        '<tool_call>\n{"name": 3}\n</tool_call>',
        '<tool_call>\n{"name": "add", "parameters": [1]}\n</tool_call>',
        "<tool_call>\n" + "[" * 100_000 + "\n</tool_call>",
        '<tool_call>\n{"name": "add", "parameters": ' + '{"a":' * 5_000 + "\n</tool_call>",
        '<tool_call>\n{"name": "add", "parameters": {"x": ' + "9" * 9_000 + "}}\n</tool_call>",
    ],
)
def test_what_cannot_be_read_scores_least(text: str) -> None:
    assert reward(text, block(call("add", x=1))) == 0
    assert reward(text, block(call("add", x=1)), original=True) == -3


def test_without_a_call_to_make_it_does_not_apply() -> None:
    assert math.isnan(reward(block(call("add")), "Just say so."))


def test_the_range_of_the_released_code_on_request() -> None:
    answer = block(call("add", x=1, y=2))
    assert reward(answer, answer, original=True) == ToolCall(original=True).upper_bound == 3
    assert reward(block(call("add", x=1, y=3)), answer, original=True) == pytest.approx(1.5)


@given(reference=CALLS, made=CALLS)
def test_agreement_is_a_share_and_whole_with_oneself(
    reference: list[Call], made: list[Call]
) -> None:
    assert 0 <= agreement(reference, made) <= 1 + 1e-12
    assert agreement(reference, reference) == 1


def test_answers_have_to_be_there() -> None:
    with pytest.raises(CrosstalkError, match="'tool_call': expected the dataset column 'answer', "):
        ToolCall()(completions=["x"], completion_ids=[[1]])
