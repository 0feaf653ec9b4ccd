"""``repetition``: the share of n-grams of tokens that are no repeats."""

from collections.abc import Sequence
from typing import Any

from benchmark.common.parameters import integer
from benchmark.objectives.base import Completion, Objective


class Repetition(Objective):
    r"""The share of a completion's n-grams of tokens that are distinct.

    .. math:: r(y) = \frac{|\{(y_i, \dots, y_{i+n-1})\}|}{|y| - n + 1}

    where:

    - :math:`y_i` is token i of completion y, the end-of-sequence token included, and :math:`|y|`
      their number; the reward is 1 where :math:`|y| < n`;
    - :math:`n` is the size of the n-grams (``size``).

    It is the repetition penalty of `Demystifying Long Chain-of-Thought Reasoning in LLMs
    <https://arxiv.org/abs/2502.03373>`_, appendix C.2, as TRL has it with the largest penalty -1,
    plus 1: higher is better and nothing is negative. The paper itself takes n = 40 and punishes
    single tokens.

    Args:
        size: :math:`n`, at least 1.
    """

    name = "repetition"

    def __init__(self, size: int = 3) -> None:
        self.size = integer("size", size, minimum=1)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return [self._distinct(tokens) for tokens in completion_ids]

    def _distinct(self, tokens: Sequence[int]) -> float:
        grams = [tuple(tokens[i : i + self.size]) for i in range(len(tokens) - self.size + 1)]
        return len(set(grams)) / len(grams) if grams else 1.0
