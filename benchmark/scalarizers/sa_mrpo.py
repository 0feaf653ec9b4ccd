"""``sa_mrpo``: z-scores weighed by how much of each objective is left to learn."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from benchmark.common.groups import group_zscores, whiten
from benchmark.common.parameters import number, refuse
from benchmark.scalarizers.base import AdvantageScalarizer
from benchmark.scalarizers.shortfalls import nonnegative, shortfalls
from benchmark.scalarizers.vectors import vector


class SAMRPO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that leaves saturated objectives.

    `Learn What's Left, Not What's Mastered: Saturation Aware Advantage Reweighting for Multi-Reward
    Policy Optimization <https://arxiv.org/abs/2608.16072>`_ is ``gdpo`` with weights that fall as
    an objective's mean nears its upper bound:

    .. math::
        S_k = \sum_j w_j (1 - m_j)^\gamma Z_{kj}, \qquad
        m_j = \frac{\bar r_j - a_j}{b_j - a_j}, \qquad
        A_k = \frac{S_k - \mathrm{mean}(S)}{\mathrm{std}(S) + 10^{-4}}

    where:

    - :math:`Z_{kj}` is the z-score of completion k's reward under objective j within its prompt
      (from ``rewards`` and ``groups``);
    - :math:`m_j` is how far the batch's mean reward :math:`\bar r_j` has come from the lower bound
      :math:`a_j` (``lower_bounds``; 0 each) to the upper one :math:`b_j` (``upper_bounds``; 1
      each);
    - :math:`\gamma` is the strength (``gamma``; the paper's 0.5): at 0 it is ``gdpo``;
    - :math:`w` are the preference weights (``weights``); mean and std are those of the batch.

    The paper's z-scores have the deviation of the population, these the unbiased one; with groups
    of one size that is one factor, which whitening removes. A mean below the lower bound counts as
    the bound (ours). The advantages of the estimator are not used. The weights tracked are
    :math:`w_j (1 - m_j)^\gamma`.

    The weight of an objective goes to 0 as it saturates, and then nothing holds it there: its mean
    may fall until it weighs enough again. The weights follow the batch's mean, not an average over
    batches, and are as noisy.

    Args:
        gamma: At least 0.
        lower_bounds: One value per objective, each below the upper bound.
        upper_bounds: One value per objective.

    Raises:
        CrosstalkError: In training, if a mean reward is above its upper bound.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "SA-MRPO 2026, arXiv 2608.16072"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        gamma: float = 0.5,
        lower_bounds: Sequence[float] | None = None,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        count = len(self.objectives)
        self.gamma = number("gamma", gamma, minimum=0.0)
        if upper_bounds is not None:
            self.upper_bounds = vector("upper_bounds", upper_bounds, count)
        self.lower_bounds = vector(
            "lower_bounds", [0.0] * count if lower_bounds is None else lower_bounds, count
        )
        if not (self.lower_bounds < self.upper_bounds).all():
            below = f"values below the upper bounds {self.upper_bounds.tolist()}"
            refuse("lower_bounds", below, self.lower_bounds.tolist())
        self.state["current_weights"] = self.weights.double()

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, _ = group_zscores(rewards, groups)
        self.state["current_weights"] = self._weights(rewards)
        total = (self.state["current_weights"].to(zscores) * zscores).sum(dim=1)
        return whiten(total, rewards.isfinite().any(dim=1)).to(advantages)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    def _weights(self, rewards: Tensor) -> Tensor:
        """Return the weights (M,) of a batch, 0 for an objective that applies to none of it."""
        left = nonnegative(shortfalls(rewards, self.upper_bounds).cpu(), self.objectives)
        share = (left / (self.upper_bounds - self.lower_bounds)).clamp(max=1.0)  # 1 - m
        return (self.weights.double() * share**self.gamma).nan_to_num(nan=0.0)
