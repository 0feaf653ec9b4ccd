"""``clarity``: an answer in a box, reached in marked steps."""

import re
from collections.abc import Sequence
from typing import Any

from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.boxed import boxes

_LABEL = r"(?:\d{1,2}|[ivx]{1,5}|[a-z])"
# Every alternative begins with a fixed text or a fixed place and repeats at most one class of
# characters without limit, so that a search takes time linear in the text.
_MARKER = re.compile(
    r"""
      \bstep\ ?\d{1,3}(?:\*{0,2}\ ?[:)–—-]|\*{0,2}\.\s|\*{0,2}$)  # Step 2:
    | (?:^[\ \t>\#*]*|(?<=[.!?;:]\s))\(?LABEL\)(?=\*{0,2}\s+\S)   # (b)  iv)
    | (?:^[\ \t>\#*]*|(?<=[.!?]\s))LABEL\.(?=\*{0,2}\s+\S)        # 1.
    | ^[\ \t>]*[-*•‣◦](?=\s+\S) | • | \\item\b
    | \b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)(?:ly)?\b
    | \b(?:next|then)\b
    """.replace("LABEL", _LABEL),
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)


def step_markers(text: str) -> int:
    """Count the step markers of a text.

    What counts, in upper or lower case:

    * ``Step 2`` followed by ``:``, ``)``, a dash, ``. `` or the end of the line, anywhere;
    * ``1)``, ``b)``, ``iv)``, ``(b)`` with text behind them, at the start of a line or after one of
      ``.!?;:`` and a space: not the ``2)`` of the point ``(1, 2)``;
    * ``1.``, ``b.``, ``iv.`` with text behind them, at the start of a line or after a finished
      sentence and a space: neither the ``3.`` of ``3.14`` nor the one of ``the answer is 3.``;
    * ``-``, ``*``, ``•`` at the start of a line with a space and text behind it, ``•`` anywhere,
      and LaTeX's ``\\item``;
    * the words first … tenth (and firstly …), next, then, anywhere.
    """
    return sum(1 for _ in _MARKER.finditer(text))


class Clarity(Objective):
    r"""1 if the text holds a non-empty ``\boxed{…}`` and at least two step markers, else 0.

    The clarity of `Uncovering Cross-Objective Interference in Multi-Objective Alignment
    <https://arxiv.org/abs/2602.06869>`_ by another count; :func:`step_markers` says what a marker
    is. The study's released code asks for at least two enumerators or at least two ordinal words,
    which do not add up; here markers of all kinds do. Its enumerators may follow any blank: the
    ``5.`` of ``is 5.`` and the ``x-`` of ``x-1`` count, which makes clarity nearly free for long
    texts; here they stand where a step begins, with text behind them. ``\item`` counts here alone.
    """

    name = "clarity"

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return [float(_is_clear(completion_text(completion))) for completion in completions]


def _is_clear(text: str) -> bool:
    has_answer = any(text[start:end].strip() for start, end in boxes(text))
    return has_answer and step_markers(text) >= 2
