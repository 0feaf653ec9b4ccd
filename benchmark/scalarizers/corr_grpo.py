"""``corr_grpo``: the sum of rewards, centred and divided by how correlated they are."""

from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import EPSILON, ByPrompt
from benchmark.scalarizers.base import AdvantageScalarizer


class CorrGRPO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by correlation-normalised sums.

    Correlation-Normalized GRPO (CorrGRPO, 2026) divides the centred
    sum of rewards by the root of the sum of their correlations, where GRPO divides by that of their
    covariances, so that rewards of a large scale do not decide the length of the step:

    .. math::
        A_k = \frac{\sum_j (r_{kj} - \bar r_j)}{\sqrt{\sum_{jl} \rho_{jl}} + 10^{-4}}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``), and
      :math:`\bar r_j` its mean over the completions of k's prompt (``groups``);
    - :math:`\rho_{jl}` is the correlation of the rewards under objectives j and l over those
      completions, 0 for an objective whose rewards are equal there, with itself too.

    The root lies between 0, for rewards that cancel, and M, for ones that agree. An objective does
    not apply where its reward is missing: it adds 0 there, to the sum and to the correlations. What
    the paper adds to the root was not to be seen; 1e-4 is GRPO's.

    The sum is of raw rewards: those of a large scale rule its direction. Where rewards cancel but
    for their scale, the advantage is up to 1e4 times their difference. Neither the advantages of
    the estimator nor the preference weights play a part.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # normalises within prompts
    source: ClassVar[str] = "Correlation-Normalized GRPO, 2026"

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        by_prompt, applies = ByPrompt(groups), rewards.isfinite()
        values = torch.where(applies, rewards.double(), 0.0)
        means = by_prompt.totals(values) / by_prompt.totals(applies.double()).clamp(min=1)
        centred = torch.where(applies, values - means, 0.0)  # (B, M)
        lengths = by_prompt.totals(centred.square()).sqrt()
        units = torch.where(lengths > 0, centred / lengths, 0.0)  # columns of length 1, per prompt
        correlations = by_prompt.totals(units.sum(dim=1).square())  # the sum of all, per prompt
        return (centred.sum(dim=1) / (correlations.sqrt() + EPSILON)).to(advantages)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", torch.ones_like(self.weights))
