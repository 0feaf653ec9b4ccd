"""``gdpo``: every objective normalised on its own, then the sum normalised over the batch."""

from typing import ClassVar

from torch import Tensor

from benchmark.common.groups import group_zscores, whiten
from benchmark.scalarizers.base import AdvantageScalarizer


class GDPO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that normalises, then sums.

    `GDPO: Group reward-Decoupled Normalization Policy Optimization for Multi-reward RL Optimization
    <https://arxiv.org/abs/2601.05242>`_ keeps rewards apart until each has its own scale:

    .. math::
        S_k = \sum_j w_j Z_{kj}, \qquad
        A_k = \frac{S_k - \mathrm{mean}(S)}{\mathrm{std}(S) + 10^{-4}}

    where:

    - :math:`Z_{kj}` is the z-score of completion k's reward under objective j within its prompt
      (from ``rewards`` and ``groups``);
    - :math:`w` are the preference weights (``weights``);
    - mean and std are those of the batch.

    The paper's implementation on verl takes mean and std over tokens, so that long completions
    count for more; this one takes them over completions, as TRL does. What the paper proposes
    further, rewards that count only where a harder one is met (its equation 8), is no part of it.

    The advantages of the estimator are not used. It is TRL's ``normalize_then_sum``, computed in
    double precision. A completion to which no objective applies has advantage 0.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "Liu et al. 2026, arXiv 2601.05242"

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, _ = group_zscores(rewards, groups)
        total = (self.weights.to(zscores) * zscores).sum(dim=1)
        return whiten(total, rewards.isfinite().any(dim=1)).to(advantages)
