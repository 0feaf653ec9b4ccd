"""``think_format``: a block of thoughts, then a block with the answer, and nothing else."""

from collections.abc import Sequence
from typing import Any

from benchmark.common.parameters import flag
from benchmark.objectives.base import Completion, Objective, completion_text

TAGS = ("<think>", "</think>", "<answer>", "</answer>")


class ThinkFormat(Objective):
    r"""1 if the text is a think block, a line break and an answer block, else 0.

    The format reward of the GSM8K recipe of `GDPO <https://arxiv.org/abs/2601.05242>`_: the whole
    text is ``<think>…</think>``, a line break, ``<answer>…</answer>``, each of the four tags
    standing exactly once. With ``newlines``, as in open-r1, what stands between a pair of tags
    begins and ends with a line break. Whitespace after the last tag does not matter (ours); before
    the first it does.

    A chat template that opens ``<think>`` in the prompt leaves completions without that tag: all
    score 0.

    Args:
        newlines: Whether line breaks stand inside the tags.
    """

    name = "think_format"

    def __init__(self, newlines: bool = False) -> None:
        self.newlines = flag("newlines", newlines)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return [float(self._kept(completion_text(each).rstrip())) for each in completions]

    def _kept(self, text: str) -> bool:
        if any(text.count(tag) != 1 for tag in TAGS):
            return False
        begin, between, end = TAGS[0], f"{TAGS[1]}\n{TAGS[2]}", TAGS[3]
        if not (text.startswith(begin) and between in text and text.endswith(end)):
            return False
        thought, _, answer = text[len(begin) : -len(end)].partition(between)
        return not self.newlines or all(map(_on_lines_of_its_own, (thought, answer)))


def _on_lines_of_its_own(text: str) -> bool:
    return len(text) > 1 and text.startswith("\n") and text.endswith("\n")
