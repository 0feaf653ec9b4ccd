import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.tool_format import ToolFormat

THINK, CALL, REPLY = (
    "<think>a\nb</think>",
    "<tool_call>\n{}\n</tool_call>",
    "<response>c</response>",
)


def reward(text: str, answer: str) -> float:
    (found,) = ToolFormat()(completions=[text], completion_ids=[[1]], answer=[answer])
    return found


@pytest.mark.parametrize("blocks", [(), (CALL,), (REPLY,), (CALL, REPLY)])
def test_thoughts_and_the_blocks_of_the_reference_are_the_format(blocks: tuple[str, ...]) -> None:
    answer = "\n".join([THINK, *blocks])
    assert reward(answer, answer) == 1
    assert reward(f"  {answer}\n\n", answer) == 1
    assert reward("".join([THINK, *blocks]), answer) == 1
    assert reward(f"So {answer}", answer) == 0
    assert reward(f"{answer} so", answer) == 0
    assert reward("\n".join(blocks), answer) == 0
    assert reward(f"{THINK}\n{answer}", answer) == 0
    for other in {(), (CALL,), (REPLY,), (CALL, REPLY)} - {blocks}:
        assert reward("\n".join([THINK, *other]), answer) == 0


@pytest.mark.parametrize(
    "text",
    [
        f"{CALL}{THINK}",
        f"{THINK} so {CALL}",
        f"{THINK}<tool_call>",
        f"{THINK}{CALL}</think>",
        "<think>a<tool_call></think>b</tool_call>",
        f"<think>{CALL}</think>",
    ],
)
def test_blocks_out_of_place_are_no_format(text: str) -> None:
    assert reward(text, f"{THINK}\n{CALL}") == 0


def test_answers_have_to_be_there() -> None:
    with pytest.raises(CrosstalkError, match="'tool_format': expected the dataset column 'answer'"):
        ToolFormat()(completions=["x"], completion_ids=[[1]])
