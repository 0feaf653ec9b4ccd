"""``NAME:CLASS``, an objective: 1 if a completion has at most so many lines, else 0.

Replace what ``rewards`` computes. Higher is better, in [0, 1] unless ``upper_bound`` says more.
"""

from collections.abc import Sequence
from typing import Any

from benchmark.objectives import Completion, Objective, completion_text


class CLASS(Objective):
    """Few lines.

    Args:
        lines: The most that are rewarded.
    """

    def __init__(self, lines: int = 3) -> None:
        if lines < 1:
            raise ValueError(f"lines: expected at least 1, got {lines!r}")
        self.lines = lines

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],  # the tokens
        **columns: Any,  # of the data: question, answer
    ) -> list[float]:
        texts = map(completion_text, completions)
        return [float(text.count("\n") < self.lines) for text in texts]
