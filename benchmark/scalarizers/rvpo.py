"""``rvpo``: the soft minimum of the objectives' z-scores."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import group_zscores, whiten
from benchmark.common.parameters import flag, number
from benchmark.scalarizers.base import AdvantageScalarizer

SMALLEST_K = 1e-6  # in effect the mean of the z-scores


class RVPO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that is averse to uneven rewards.

    `RVPO: Risk-Sensitive Alignment via Variance Regularization <https://arxiv.org/abs/2605.05750>`_
    takes a soft minimum, which is the mean less k/2 times the variance across objectives, to second
    order:

    .. math::
        A_k = -\frac{1}{\kappa} \log \Big( \mathrm{mean}_j\, e^{-\kappa Z_{kj}} \Big)

    where:

    - :math:`Z_{kj}` is the z-score of completion k's reward under objective j within its prompt
      (from ``rewards`` and ``groups``); objectives that do not apply are left out of the mean;
    - :math:`\kappa` is the aversion (``k``): near 0 the mean of the z-scores, at infinity their
      minimum. The paper lets it rise from 0.5 to 2 in training; here it is constant, 1.

    The soft minimum lies below the mean, so that advantages sum to less than zero; ``normalize``
    whitens them over the batch, with the deviation plus 1e-4. Neither the advantages of the
    estimator nor the preference weights play a part. The weights tracked are the batch mean of
    :math:`\partial A_k / \partial Z_{kj}`, before any whitening.

    Args:
        k: At least 1e-6.
        normalize: Whether to whiten over the batch.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "Montero et al. 2026, arXiv 2605.05750"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        k: float = 1.0,
        normalize: bool = False,
    ) -> None:
        super().__init__(objectives, weights)
        self.k = number("k", k, minimum=SMALLEST_K)
        self.normalize = flag("normalize", normalize)
        self.state["current_weights"] = torch.full_like(self.weights, 1 / len(self.objectives))

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, _ = group_zscores(rewards, groups)
        applies = rewards.isfinite()
        scored = applies.any(dim=1)
        exponents = (-self.k * zscores).masked_fill(~applies, -math.inf)
        if scored.any():
            shares = exponents[scored].softmax(dim=1).mean(dim=0)
            self.state["current_weights"] = shares.to(self.state["current_weights"])
        means = exponents.logsumexp(dim=1) - applies.sum(dim=1).clamp(min=1).to(exponents).log()
        combined = (-means / self.k).masked_fill(~scored, 0.0)
        return (whiten(combined, scored) if self.normalize else combined).to(advantages)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])
