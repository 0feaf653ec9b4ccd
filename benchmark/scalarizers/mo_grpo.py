"""``mo_grpo``: the sum of the objectives' z-scores."""

from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import group_zscores
from benchmark.scalarizers.base import AdvantageScalarizer


class MOGRPO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that adds up z-scores.

    `MO-GRPO: Mitigating Reward Hacking of Group Relative Policy Optimization on Multi-Objective
    Problems <https://arxiv.org/abs/2509.22047>`_ gives every objective the same variance, so that
    none is neglected for the scale of its reward:

    .. math::
        A_k = \sum_j Z_{kj}

    where:

    - :math:`Z_{kj}` is the z-score of completion k's reward under objective j within its prompt
      (from ``rewards`` and ``groups``), 0 where the objective does not apply.

    The sum is not normalised again: TRL's ``normalize_then_sum``, which does, is ``gdpo``. Read in
    reviews of the paper; its code was not at hand.

    Neither the advantages of the estimator nor the preference weights play a part.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "Ichihara et al. 2025, arXiv 2509.22047"

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, _ = group_zscores(rewards, groups)
        return zscores.sum(dim=1).to(advantages)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", torch.ones_like(self.weights))
