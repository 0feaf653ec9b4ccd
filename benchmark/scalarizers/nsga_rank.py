"""``nsga_rank``: completions count by their Pareto rank within the group."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import ByPrompt
from benchmark.common.parameters import number
from benchmark.scalarizers.base import AdvantageScalarizer


class NSGARank(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by non-dominated sorting.

    The second stage of ParetoPO (`Towards Pareto-Optimal Tool-Integrated Agents with Pareto Ranking
    Policy Optimization <https://arxiv.org/abs/2606.16111>`_) ranks the completions of a prompt by
    who dominates whom, and by the weighted sum within a rank:

    .. math::
        A_k = v_k - \mathrm{mean}_g(v), \qquad
        v_k = N_g - \rho_k + 1 + \beta \Big( \hat s_k - \tfrac12 \Big), \qquad
        \hat s_k = \frac{s_k - \min s}{\max s - \min s}, \qquad s_k = \sum_j w_j r_{kj}

    where:

    - :math:`\rho_k` is the Pareto rank of completion k among those of its prompt (``rewards``,
      ``groups``): 1 where no other is at least as good everywhere and better somewhere, 2 where
      that is so once rank 1 is gone, and so on up to :math:`N_g`;
    - minimum and maximum are those of k's rank; :math:`\hat s_k` is 1/2 where they are equal;
    - :math:`w` are the preference weights (``weights``; an objective of weight 0 is not compared);
    - :math:`\beta` is the weight of the sum (``beta``; 0.5, ours: the source's was not to be
      found). At most 1: no completion passes one of a better rank.

    Centring is ours: v is positive for every completion, and the source leaves it open. A reward
    that is missing counts as the group's mean under that objective (ours); a completion without any
    stays out and has advantage 0. The advantages of the estimator are not used. The sorting is
    moocore's. Where no completion dominates another, as with perfect trade-offs, all ranks are 1
    and the weighted sum alone is left.

    Args:
        beta: From 0 to 1.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # compares within prompts
    source: ClassVar[str] = "Li et al. 2026, arXiv 2606.16111 (stage 2)"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        beta: float = 0.5,
    ) -> None:
        super().__init__(objectives, weights)
        self.beta = number("beta", beta, minimum=0.0, maximum=1.0)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        by_prompt, given = ByPrompt(groups.cpu()), rewards.double().cpu()
        applies = given.isfinite()
        values = torch.where(applies, given, 0.0)
        means = by_prompt.totals(values) / by_prompt.totals(applies.double()).clamp(min=1)
        values, present = torch.where(applies, values, means), applies.any(dim=1)
        found = torch.zeros(len(values), dtype=torch.float64)
        for each in range(len(by_prompt.sizes)):
            members = (by_prompt.prompt == each) & present
            if members.any():
                found[members] = self._advantages(values[members])
        return found.to(advantages)

    def _advantages(self, values: Tensor) -> Tensor:
        """Return the advantages (G,) of the completions of a prompt from their values (G, M)."""
        import moocore

        weights = self.weights.double()
        sums = values @ weights
        compared = values[:, weights > 0].numpy()
        ranks = torch.from_numpy(moocore.pareto_rank(compared, maximise=True)).long()  # from 0
        lowest, highest = (
            torch.full_like(sums, start).scatter_reduce(0, ranks, sums, how)
            for start, how in ((torch.inf, "amin"), (-torch.inf, "amax"))
        )
        span = (highest - lowest)[ranks]
        place = torch.where(span > 0, (sums - lowest[ranks]) / span, 0.5)
        worth = -ranks.double() + self.beta * (place - 0.5)  # up to a constant
        return worth - worth.mean()
