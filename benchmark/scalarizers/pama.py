"""``pama``: the smallest of the objectives' positive advantages."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import choice
from benchmark.scalarizers.base import AdvantageScalarizer

LEVELS = ("batch", "completion")


class PAMA(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by the closed form of PAMA.

    `Pareto Multi-Objective Alignment for Language Models <https://arxiv.org/abs/2508.07768>`_ looks
    for the convex combination of the objectives' surrogates that is closest to zero, the way MGDA
    does for gradients. With one number per objective that is the point of smallest magnitude in
    their range:

    .. math::
        A_k = \arg\min_{c \in [\min_j a_j,\ \max_j a_j]} |c| = \min_j a_j, \qquad
        A^+_{kj} = \max(0, A_{kj})

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``), of
      which the positive part is used;
    - :math:`a_j` is, by ``level``, the mean of :math:`A^+_{kj}` over the batch (``"batch"``, the
      study's version) or :math:`A^+_{kj}` itself (``"completion"``). Neither is negative, so that
      the smallest magnitude is the smallest value.

    With ``"batch"`` all completions share one advantage, c, which tells none of them from another.
    Were c a constant, the expected policy gradient would be zero under a loss of fixed normaliser
    (``dr_grpo``), :math:`c \nabla E[1/N]` under the mean over the batch's N tokens (``dapo``), and
    :math:`c \nabla E[1/|y|]` under the mean over completions (``grpo``): a push towards short
    completions, which ``dapo`` has to about a B-th part for B completions. But the batch decides c,
    so that even with a fixed normaliser a gradient of that order is left in expectation,
    :math:`\nabla E[c]` over B times that normaliser. The rest is the noise of sampling, which Adam
    brings to the size of any other step.

    The preference weights play no part. The rule's indicator of unclipped ratios is 1 here, as the
    policy is still the one that was sampled from; clipping in later passes is the training's
    (``epsilon``, 0.2 in the study) and not the scalarizer's. Completions that an objective does not
    apply to are left out of its mean and its minimum; those that none applies to have advantage 0.

    Args:
        level: ``"batch"`` or ``"completion"``.
    """

    source: ClassVar[str] = "He & Maghsudi 2025, arXiv 2508.07768"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        level: str = "batch",
    ) -> None:
        super().__init__(objectives, weights)
        self.level = choice("level", level, LEVELS)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        positive = advantages.clamp(min=0.0).masked_fill(rewards.isnan(), torch.nan)
        if self.level == "batch":
            positive = positive.nanmean(dim=0, keepdim=True)  # (1, M)
        smallest = positive.masked_fill(positive.isnan(), math.inf).amin(dim=1)  # (B,) or (1,)
        smallest = smallest.masked_fill(smallest.isinf(), 0.0)
        return smallest.expand(len(advantages)).masked_fill(rewards.isnan().all(dim=1), 0.0)
