"""``worst_first``: a share of the weighted sum goes to the completion's worst objective."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.scalarizers import ScoreScalarizer


class WorstFirst(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.ScoreScalarizer` that cares for the worst objective.

    .. math::
        s_k = (1 - \alpha) \sum_j w_j r_{kj} + \alpha \min_j r_{kj}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`w` are the preference weights (``weights``);
    - :math:`\alpha` is the share of the worst objective (``share``).
    """

    source: ClassVar[str] = "an example"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        share: float = 0.5,
    ) -> None:
        super().__init__(objectives, weights)
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected a number from 0 to 1, got {share!r}")
        self.share = share

    def score(self, rewards: Tensor) -> Tensor:
        missing = rewards.isnan()  # objectives that do not apply
        total = (rewards * self.weights.to(rewards)).nansum(dim=1)
        worst = rewards.masked_fill(missing, math.inf).amin(dim=1)
        scores = (1 - self.share) * total + self.share * worst
        return scores.masked_fill(missing.all(dim=1), torch.nan)
