"""``tag_count``: a quarter for each tag of thoughts and answer that stands exactly once."""

from collections.abc import Sequence
from typing import Any

from benchmark.common.parameters import flag
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.think_format import TAGS

ON_LINES = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")


class TagCount(Objective):
    r"""0.25 for each of the four tags of thoughts and answer that stands exactly once.

    The tags are ``<think>``, ``</think>``, ``<answer>`` and ``</answer>``; where they stand does
    not matter. With ``newlines`` they count with the line breaks around them, as in `open-r1
    <https://github.com/huggingface/open-r1>`_, whose reward of that name this is:
    ``<think>`` with one behind, ``</think>`` and ``<answer>`` with one before and one behind,
    ``</answer>`` with one before.

    It is a milder ``think_format``, which a policy can climb in steps.

    Args:
        newlines: Whether line breaks around the tags are asked for.
    """

    name = "tag_count"

    def __init__(self, newlines: bool = True) -> None:
        self.newlines = flag("newlines", newlines)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        tags = ON_LINES if self.newlines else TAGS
        texts = map(completion_text, completions)
        return [sum(text.count(tag) == 1 for tag in tags) / len(tags) for text in texts]
