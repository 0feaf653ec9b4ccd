"""``length_penalty``: full reward up to a target of tokens, none from a limit on."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from benchmark.common.parameters import choice, integer, refuse
from benchmark.objectives.base import Completion, Objective

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda excess: 1.0 - excess,
    "cosine": lambda excess: 0.5 * (1.0 + math.cos(math.pi * excess)),
}


class LengthPenalty(Objective):
    r"""1 up to a target of tokens, 0 from a limit on, and falling in between.

    .. math:: r(y) = f\left(\min\left(1, \max\left(0, \frac{|y| - a}{b - a}\right)\right)\right)

    where:

    - :math:`|y|` is the number of tokens of completion y, the end-of-sequence token included;
    - :math:`a` is the target (``target``) and :math:`b` the limit (``limit``);
    - :math:`f` is the shape (``shape``).

    The linear shape is the soft overlong punishment of `DAPO: An Open-Source LLM Reinforcement
    Learning System at Scale <https://arxiv.org/abs/2503.14476>`_, equation 13, plus 1: its
    :math:`L_\text{max}` is ``limit``, its :math:`L_\text{cache}` is ``limit - target``. The cosine
    shape is the interpolation of `Demystifying Long Chain-of-Thought Reasoning in LLMs
    <https://arxiv.org/abs/2502.03373>`_ from 1 to 0.

    Args:
        target: :math:`a`, tokens up to which the reward is 1.
        limit: :math:`b > a`, tokens from which on it is 0.
        shape: ``linear`` for :math:`f(x) = 1 - x`, ``cosine`` for
            :math:`f(x) = (1 + \cos \pi x) / 2`.
    """

    name = "length_penalty"

    def __init__(self, target: int, limit: int, shape: str = "linear") -> None:
        self.target = integer("target", target, minimum=0)
        self.limit = integer("limit", limit, minimum=1)
        self.shape = choice("shape", shape, SHAPES)
        if self.limit <= self.target:
            refuse("limit", f"more than the target, {target}", limit)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return [self._reward(len(tokens)) for tokens in completion_ids]

    def _reward(self, tokens: int) -> float:
        excess = (tokens - self.target) / (self.limit - self.target)
        return SHAPES[self.shape](min(1.0, max(0.0, excess)))
