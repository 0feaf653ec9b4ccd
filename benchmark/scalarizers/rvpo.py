"""``rvpo``: the soft minimum of the objectives' z-scores."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import group_zscores, whiten
from benchmark.common.parameters import flag, integer, number, refuse
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
    - :math:`\kappa` is the aversion: near 0 the mean of the z-scores, at infinity their minimum. It
      moves linearly from ``k`` in the first batch to ``k_end`` in the last of ``total_steps``
      (``state["batches"]`` counts them) and stays there; it is ``k`` without a ``k_end``. The
      paper's is 0.5 at first and 2 in the end (a constant 5 rose highest and ended lowest there).

    The soft minimum lies below the mean, so that advantages sum to less than zero: as in the paper,
    they are whitened over the batch, with the deviation plus 1e-4 (``normalize``). Neither the
    advantages of the estimator nor the preference weights play a part. The weights tracked are the
    batch mean of :math:`\partial A_k / \partial Z_{kj}`, before any whitening.

    Read in reviews of the paper; its own code was not at hand.

    Args:
        k: At least 1e-6.
        k_end: At least 1e-6, or None.
        total_steps: At least 1; needed with ``k_end``. The cells of a study give their own number
            of steps unless told otherwise.
        normalize: Whether to whiten over the batch.

    Raises:
        CrosstalkError: There is a ``k_end`` and no ``total_steps``.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "Montero et al. 2026, arXiv 2605.05750"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        k: float = 1.0,
        k_end: float | None = None,
        total_steps: int | None = None,
        normalize: bool = True,
    ) -> None:
        super().__init__(objectives, weights)
        self.k = number("k", k, minimum=SMALLEST_K)
        self.k_end = None if k_end is None else number("k_end", k_end, minimum=SMALLEST_K)
        if total_steps is not None:
            total_steps = integer("total_steps", total_steps, minimum=1)
        elif k_end is not None:
            refuse("total_steps", "the number of batches until k is k_end", None)
        self.total_steps = total_steps
        self.normalize = flag("normalize", normalize)
        self.state["batches"] = torch.tensor(0)
        self.state["current_weights"] = torch.full_like(self.weights, 1 / len(self.objectives))

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, _ = group_zscores(rewards, groups)
        applies = rewards.isfinite()
        scored = applies.any(dim=1)
        k = self._aversion()
        self.state["batches"] = self.state["batches"] + 1
        exponents = (-k * zscores).masked_fill(~applies, -math.inf)
        if scored.any():
            shares = exponents[scored].softmax(dim=1).mean(dim=0)
            self.state["current_weights"] = shares.to(self.state["current_weights"])
        means = exponents.logsumexp(dim=1) - applies.sum(dim=1).clamp(min=1).to(exponents).log()
        combined = (-means / k).masked_fill(~scored, 0.0)
        return (whiten(combined, scored) if self.normalize else combined).to(advantages)

    def _aversion(self) -> float:
        """Return kappa in the batch to come."""
        if self.k_end is None or self.total_steps is None:
            return self.k
        share = min(1.0, int(self.state["batches"]) / max(1, self.total_steps - 1))
        return self.k + share * (self.k_end - self.k)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])
