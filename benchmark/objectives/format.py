"""``format``: one boxed answer, and nothing after it."""

import re
from collections.abc import Sequence
from typing import Any

from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.boxed import boxes

_COMMAND = re.compile(r"\\boxed(?![A-Za-z])")
_SUBSTANCE = re.compile(r"[^\s{}$~]")
# Every alternative starts with a character of its own and is short, so that a match takes time
# linear in the text.
_END = re.compile(
    r"""(?:
      \s | [.,;:!?…。！？*_"'’”`)\]}]              # whitespace, punctuation, closing brackets
    | \$ | \\[)\]] | \\end\{[A-Za-z]{1,20}\*?\}    # ends of mathematics
    | <\|[\w.-]{1,40}\|> | </s> | <eos> | <end_of_turn> | </answer>  # ends of a turn
    )*""",
    re.VERBOSE,
)


class Format(Objective):
    r"""1 if the answer stands in a single box at the end, else 0.

    An answer format as verifiable rewards ask for it, after `DeepSeek-R1: Incentivizing Reasoning
    Capability in LLMs via Reinforcement Learning <https://arxiv.org/abs/2501.12948>`_. The rule is
    this benchmark's:

    - the command ``\boxed`` stands exactly once in the text, an unfinished or nested one counted;
    - it opens a box ``{…}`` that is closed, and that holds something besides whitespace, braces,
      ``$`` and ``~``;
    - nothing follows the box but whitespace, punctuation (``.,;:!?…。！？*_"'’”`` and a backquote),
      closing brackets ``)``, ``]``, ``}``, ends of mathematics (``$``, ``\)``, ``\]``,
      ``\end{…}``), and ends of a turn (``<|…|>``, ``</s>``, ``<eos>``, ``<end_of_turn>``,
      ``</answer>``).
    """

    name = "format"

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return [float(_ends_in_its_box(completion_text(text))) for text in completions]


def _ends_in_its_box(text: str) -> bool:
    closed = list(boxes(text))
    if len(_COMMAND.findall(text)) != 1 or len(closed) != 1:
        return False
    start, end = closed[0]
    filled = _SUBSTANCE.search(text, start, end) is not None
    return filled and _END.fullmatch(text, end + 1) is not None
