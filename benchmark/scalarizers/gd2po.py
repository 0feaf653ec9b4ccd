"""``gd2po``: completions on which the objectives disagree are dropped."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import group_totals, group_zscores, whiten
from benchmark.common.parameters import choice, number
from benchmark.scalarizers.base import AdvantageScalarizer

SMALLEST_ZSCORE = 1e-8  # below which an objective takes no side
RULES = ("hard", "snr")


class GD2PO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that filters conflicts.

    `GD²PO: Mitigating Multi-Reward Conflicts via Group-Dynamic reward-Decoupled Policy Optimization
    <https://arxiv.org/abs/2606.16771>`_ drops completions that some objective praises and another
    one blames, shrinks groups of which few stay, and whitens what is left:

    .. math::
        S_k = f_{g(k)} \sum_j w_j Z_{kj} \ \text{if k is kept}, \qquad
        A_k = \frac{S_k - \mathrm{mean}(S)}{\mathrm{std}(S) + 10^{-4}}

    where:

    - :math:`Z_{kj}` is the z-score of completion k's reward under objective j within its prompt
      (from ``rewards`` and ``groups``), 0 where the objective does not apply;
    - k is dropped, and has advantage 0, by the ``rule``: ``"hard"`` if :math:`Z_{kj}` exceeds
      1e-8 for some objective and is below -1e-8 for another; ``"snr"`` if
      :math:`|\sum_j w_j Z_{kj}| < \tau \sum_j |w_j Z_{kj}|`;
    - :math:`\tau` is the ``threshold`` (0.2 in the authors' configuration, 0.8 in their scripts):
      at 0 nothing is dropped, and it is ``gdpo``;
    - :math:`f_{g(k)}` is the share of k's group that is kept;
    - mean and std are those of the kept completions;
    - :math:`w` are the preference weights (``weights``). The authors' sum has none: that they count
      in the sum and in the ratio, and that an objective of weight 0 takes no side, is ours.

    A z-score of 0 is no side either: a saturated objective never blocks. The advantages of the
    estimator are not used. Tracked beside the weights is ``kept/<objective>``: the share that stays
    of the completions on which the objective takes a side. Where the objectives never agree
    everything is dropped and the batch moves nothing: the rule removes the interference that it
    cannot resolve, and the signal with it.

    Args:
        rule: ``"hard"`` or ``"snr"``.
        threshold: From 0 to 1; of ``"snr"`` alone.
    """

    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # its own z-scores
    source: ClassVar[str] = "Liu et al. 2026, arXiv 2606.16771"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        rule: str = "hard",
        threshold: float = 0.2,
    ) -> None:
        super().__init__(objectives, weights)
        self.rule = choice("rule", rule, RULES)
        self.threshold = number("threshold", threshold, minimum=0.0, maximum=1.0)
        self.state["kept"] = torch.full_like(self.weights, torch.nan)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        zscores, _ = group_zscores(rewards, groups)
        present = rewards.isfinite().any(dim=1)
        parts = self.weights.to(zscores) * zscores  # (B, M)
        kept = present & self._agrees(zscores.where(self.weights.to(zscores) > 0, 0.0), parts)
        sides = zscores.abs() > SMALLEST_ZSCORE
        stays = (sides & kept[:, None]).sum(dim=0) / sides.sum(dim=0)
        self.state["kept"] = stays.to(self.state["kept"])
        shares = group_totals(kept.double(), groups) / group_totals(present.double(), groups)
        return whiten(shares * parts.sum(dim=1), kept).to(advantages)

    def metrics(self) -> dict[str, float]:
        return super().metrics() | self.by_objective("kept", self.state["kept"])

    def _agrees(self, zscores: Tensor, parts: Tensor) -> Tensor:
        """Return whether the objectives agree on each completion (B,)."""
        if self.rule == "hard":
            praised = (zscores > SMALLEST_ZSCORE).any(dim=1)
            return ~(praised & (zscores < -SMALLEST_ZSCORE).any(dim=1))
        return parts.sum(dim=1).abs() >= self.threshold * parts.abs().sum(dim=1)
