"""``tool_format``: thoughts, and then the blocks that the reference has."""

import re
from collections.abc import Sequence
from typing import Any

from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.columns import answers_in

THOUGHTS, BLOCKS = "think", ("tool_call", "response")  # in the order in which they stand


class ToolFormat(Objective):
    """1 if the text is thoughts and then the blocks that the reference has, no others, else 0.

    The format reward of `ToolRL: Reward is All Tool Learning Needs
    <https://arxiv.org/abs/2504.13958>`_ as released: a block ``<think>…</think>``, behind it
    ``<tool_call>…</tool_call>``, ``<response>…</response>``, both in this order, or neither, as in
    the dataset column ``answer``; each tag stands once. Between blocks and at the end there may be
    whitespace; how much is asked for in the released code was not read.
    """

    name = "tool_format"

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        answers = answers_in(columns, self)
        texts = map(completion_text, completions)
        return [float(_fits(*pair)) for pair in zip(texts, answers, strict=True)]


def _fits(text: str, reference: str) -> bool:
    wanted = [THOUGHTS, *(name for name in BLOCKS if f"<{name}>" in reference)]
    tags = [tag for name in wanted for tag in (f"<{name}>", f"</{name}>")]
    known = [tag for name in (THOUGHTS, *BLOCKS) for tag in (f"<{name}>", f"</{name}>")]
    if re.findall("|".join(map(re.escape, known)), text) != tags:
        return False
    for name in wanted:
        before, _, text = text.partition(f"<{name}>")
        if before.strip():
            return False
        _, _, text = text.partition(f"</{name}>")
    return not text.strip()
