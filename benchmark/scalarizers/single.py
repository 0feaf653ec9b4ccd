"""``single``: one objective alone, the reference that interference is measured against."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import unknown
from benchmark.scalarizers.base import ScoreScalarizer


class Single(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` that trains on one objective only.

    .. math::
        s_k = r_{kj}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`j` is the objective trained on (``objective``).

    Its runs are references and not competitors: what j can reach alone, and what becomes of the
    other objectives meanwhile (a row of the interference matrix). The preference weights given are
    checked and then replaced by 1 for j and 0 for the others. A completion to which j does not
    apply has the score NaN, which leaves it out of the baseline.

    Args:
        objective: The name of j.
    """

    reference: ClassVar[bool] = True
    source: ClassVar[str] = "Lu & Jiang 2026, arXiv 2602.06869"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        objective: str,
    ) -> None:
        super().__init__(objectives, weights)
        if objective not in self.objectives:
            raise unknown("objective", objective, self.objectives, "objective")
        self.objective = objective
        self._index = self.objectives.index(objective)
        self.weights = torch.zeros_like(self.weights)
        self.weights[self._index] = 1.0

    def score(self, rewards: Tensor) -> Tensor:
        return rewards[:, self._index]
