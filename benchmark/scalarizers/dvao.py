"""``dvao``: z-scores weighed by the deviations of the rewards they come from."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import group_zscores
from benchmark.scalarizers.base import AdvantageScalarizer


class DVAO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that follows the rewards' variance.

    `DVAO: Dynamic Variance-adaptive Advantage Optimization for Multi-reward Reinforcement Learning
    <https://arxiv.org/abs/2605.25604>`_ lets an objective count for more in a group whose
    completions it tells apart:

    .. math::
        A_k = \frac{\sum_j w_j \sigma_j Z_{kj}}{\sum_j w_j \sigma_j}

    where:

    - :math:`Z_{kj}` is the z-score of completion k's reward under objective j within its prompt
      (from ``rewards`` and ``groups``), 0 where the objective does not apply;
    - :math:`\sigma_j` is the deviation of those rewards, the prompt's own;
    - :math:`w` are the preference weights (``weights``).

    Since :math:`\sigma Z` is the centred reward, it is the centred weighted sum, divided by the sum
    of the weighted deviations where GRPO divides by the deviation of the sum. The weights are in
    proportion to the deviations, not inverse to them; read in a review of the paper, whose code was
    not at hand. The paper has 16 completions a prompt and two objectives, and finds 4 too few.

    A group of equal rewards has advantage 0. The advantages of the estimator are not used. The
    weights tracked are the mean of :math:`w_j \sigma_j / \sum_l w_l \sigma_l` over the completions
    of groups that have one, those without a reward left out, and 0 in a batch without.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "Jiang et al. 2026, arXiv 2605.25604"

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        super().__init__(objectives, weights)
        self.state["current_weights"] = self.weights.clone()

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, deviations = group_zscores(rewards, groups)
        parts = self.weights.to(deviations) * deviations  # (B, M)
        total = parts.sum(dim=1, keepdim=True)
        counted = (total > 0) & rewards.isfinite().any(dim=1, keepdim=True)
        shares = torch.where(counted, parts / total, 0.0)
        mean = shares.sum(dim=0) / counted.sum().clamp(min=1)
        self.state["current_weights"] = mean.to(self.state["current_weights"])
        return (shares * zscores).sum(dim=1).to(advantages)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])
