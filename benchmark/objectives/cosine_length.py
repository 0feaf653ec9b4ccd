"""``cosine_length``: right answers better short, wrong ones better long."""

import math
from collections.abc import Sequence

from benchmark.common.parameters import integer, number, refuse
from benchmark.objectives.base import Objective
from benchmark.objectives.length_of_correct import LengthOfCorrect


class CosineLength(LengthOfCorrect):
    r"""Between two rewards by a cosine of the length, others for right than for wrong answers.

    .. math:: r(y) = b_c + \tfrac{1}{2}\,(a_c - b_c)\left(1 + \cos\frac{\pi |y|}{L}\right)

    where:

    - :math:`|y|` is the number of tokens of completion y, the end-of-sequence token included, and c
      whether its answer is right (``correct``);
    - :math:`L` is the length at which the cosine ends (``limit``); from there on the reward is
      :math:`b_c`;
    - :math:`a_c, b_c` are the rewards of no token and of :math:`L` (``right``, ``wrong``).

    The cosine reward of `Demystifying Long Chain-of-Thought Reasoning in LLMs
    <https://arxiv.org/abs/2502.03373>`_, with the values of open-r1, which counts characters and
    lets the cosine rise again beyond the limit. The paper takes 2 to 1 for right answers, -10 to 0
    for wrong ones, and -10 for whatever reaches 14,336 tokens, right or wrong.

    Args:
        limit: :math:`L`, in tokens.
        right: :math:`a_c` and :math:`b_c` of right answers.
        wrong: The same of wrong ones.
        over_limit: The reward of a completion of :math:`L` tokens or more; None for :math:`b_c`.
        correct: What judges the answer: an objective's id, or a mapping of ``objective`` and its
            parameters; None for ``accuracy``.
    """

    name = "cosine_length"

    def __init__(
        self,
        limit: int,
        *,
        right: Sequence[float] = (1.0, 0.5),
        wrong: Sequence[float] = (-1.0, -0.5),
        over_limit: float | None = None,
        correct: Objective | None = None,
    ) -> None:
        super().__init__(correct)
        self.limit = integer("limit", limit, minimum=1)
        self.ends = {True: _ends("right", right), False: _ends("wrong", wrong)}
        self.over_limit = (
            None if over_limit is None else number("over_limit", over_limit, -math.inf)
        )
        others = () if self.over_limit is None else (self.over_limit,)
        self.upper_bound = max(*self.ends[True], *self.ends[False], *others)

    def reward(self, right: bool, tokens: int) -> float:
        short, long = self.ends[right]
        if tokens >= self.limit:
            return long if self.over_limit is None else self.over_limit
        return long + 0.5 * (short - long) * (1.0 + math.cos(math.pi * tokens / self.limit))


def _ends(name: str, given: Sequence[float]) -> tuple[float, float]:
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 2:
        refuse(name, "two rewards, of no token and of the limit", given)
    short, long = (number(name, each, -math.inf) for each in given)
    return short, long
