"""``target_length``: a right answer of a wanted length."""

from benchmark.common.parameters import choice, integer, number
from benchmark.objectives.base import Objective
from benchmark.objectives.length_of_correct import LengthOfCorrect

MODES = ("exact", "max")


class TargetLength(LengthOfCorrect):
    r"""Right, and as long as wanted (``exact``), or at most that long (``max``).

    The rewards of `L1: Controlling How Long A Reasoning Model Thinks With Reinforcement Learning
    <https://arxiv.org/abs/2503.04697>`_ (known here from summaries, not from the paper's text):

    .. math::
        r_\text{exact}(y) = 1[c] - \alpha\,|n^* - |y||, \qquad
        r_\text{max}(y) = 1[c] \cdot \min(1, \max(0, \alpha\,(n^* - |y|) + \delta))

    where:

    - :math:`|y|` is the number of tokens of completion y, the end-of-sequence token included, and c
      whether its answer is right (``correct``);
    - :math:`n^*` is the wanted length (``target``). The paper draws one for each prompt, which
      names it; here it is one for the study, and the task's prompts may name it;
    - :math:`\alpha` is the price of a token (``alpha``), :math:`\delta` the offset (``delta``).

    In the mode ``exact`` rewards may lie below 0.

    Args:
        target: :math:`n^*`, in tokens.
        mode: ``exact`` or ``max``.
        alpha: :math:`\alpha`. The default is the paper's, for lengths of thousands of tokens.
        delta: :math:`\delta`; the mode ``exact`` does not read it.
        correct: What judges the answer: an objective's id, or a mapping of ``objective`` and its
            parameters; None for ``accuracy``.
    """

    name = "target_length"

    def __init__(
        self,
        target: int,
        *,
        mode: str = "exact",
        alpha: float = 3e-4,
        delta: float = 0.5,
        correct: Objective | None = None,
    ) -> None:
        super().__init__(correct)
        self.target = integer("target", target, minimum=0)
        self.mode = choice("mode", mode, MODES)
        self.alpha = number("alpha", alpha, 0.0)
        self.delta = number("delta", delta, 0.0, 1.0)

    def reward(self, right: bool, tokens: int) -> float:
        if self.mode == "exact":
            return float(right) - self.alpha * abs(self.target - tokens)
        return right * min(1.0, max(0.0, self.alpha * (self.target - tokens) + self.delta))
