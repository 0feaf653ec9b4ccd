"""``linear``: the weighted sum, the baseline of every comparison."""

from typing import ClassVar

from torch import Tensor

from benchmark.scalarizers.base import ScoreScalarizer, weighted_sum


class Linear(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` that takes the weighted sum of rewards.

    It is the linear scalarization of `Uncovering Cross-Objective Interference in Multi-Objective
    Alignment <https://arxiv.org/abs/2602.06869>`_:

    .. math::
        s_k = \sum_j w_j r_{kj}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`w` are the preference weights (``weights``; the study's are equal).

    Its arithmetic is that of TRL's ``reward_weights``, to the bit.
    """

    source: ClassVar[str] = "Lu & Jiang 2026, arXiv 2602.06869"

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self.weights)
