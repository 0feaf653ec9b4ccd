"""``weighted``: the weighted sum, by other weights than the preferences."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import refuse
from benchmark.scalarizers.base import ScoreScalarizer, weighted_sum
from benchmark.scalarizers.vectors import vector


class Weighted(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` by training weights of its own.

    Static weights that are tuned, the baseline of `Do Current Multi-Task Optimization Methods in
    Deep Learning Even Help? <https://arxiv.org/abs/2209.11379>`_ (Xin et al., 2022):

    .. math::
        s_k = \sum_j v_j r_{kj}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`v` are the weights of training (``training_weights``).

    The preference weights w (``weights``) play no part in training: they stay what a result's
    scalarized score is made by, for this rule as for every other. With v equal to w it is
    ``linear``, to the bit.

    Args:
        training_weights: v, one per objective, not negative, scaled to sum 1; w if None.
    """

    source: ClassVar[str] = "Xin et al. 2022, arXiv 2209.11379"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        training_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        self.training_weights = self.weights
        if training_weights is not None:
            vector("training_weights", training_weights, len(self.objectives), minimum=0.0)
            values = torch.tensor(training_weights, dtype=torch.float64)
            if values.sum() == 0:
                refuse("training_weights", "a positive sum", training_weights)
            self.training_weights = (values / values.sum()).float()

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self.training_weights)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.training_weights)
