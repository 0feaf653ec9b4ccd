import pytest

from benchmark.objectives.tag_count import TagCount


@pytest.mark.parametrize(
    ("text", "plain", "lines"),
    [
        ("", 0, 0),
        ("<think>\nso\n</think>\n<answer>\n7\n</answer>", 1, 1),
        ("<think>so</think>\n<answer>7</answer>", 1, 0),
        ("<think>\nso</think>\n<answer>\n7\n</answer>", 1, 0.75),
        ("<think>\nso\n</think>\n", 0.5, 0.5),
        ("\n<answer>\n7", 0.25, 0.25),
        ("<think>\n<think>\n", 0, 0),
        ("</answer><answer></think><think>", 1, 0),
        ("<think>\na\n</think>\n<answer>\n7\n</answer>\n<answer>\n8\n</answer>", 0.5, 0.5),
    ],
)
def test_each_tag_that_stands_once_is_a_quarter(text: str, plain: float, lines: float) -> None:
    for newlines, expected in ((False, plain), (True, lines)):
        assert TagCount(newlines)(completions=[text], completion_ids=[[0]]) == [expected]
