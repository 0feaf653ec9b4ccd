"""``tchebycheff``: the completion's worst weighted shortfall from the best reward seen."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import number
from benchmark.scalarizers.base import ScoreScalarizer, weighted_sum
from benchmark.scalarizers.vectors import vector

SLACK = 1e-6  # of rewards above the reference point: rounding


class Tchebycheff(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` by the weighted Tchebycheff distance.

    It scores a completion by its largest weighted distance from a reference point, as in `On the
    Relationship of the Tchebycheff Norm and the Efficient Frontier of Multiple-Criteria Objectives
    <https://doi.org/10.1007/978-3-642-87563-2_5>`_ (Bowman, 1976):

    .. math::
        s_k = -\max_j w_j (z_j - r_{kj}) + \rho \sum_j w_j r_{kj}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`w` are the preference weights (``weights``; the study's are equal);
    - :math:`z_j` is the highest reward of any completion under objective j so far, this batch
      included, or fixed (``reference_point``);
    - :math:`\rho` is the weight of the augmentation (``rho``), which tells apart completions with
      the same worst objective. The study has none.

    The distance is that of a completion's rewards, not of the objectives' means, to which Bowman's
    applies: what is maximised is the mean of a minimum, not the minimum of means. Where rewards are
    0 or 1 and z is 1, that is 1 for completions that are right by every objective at once and the
    same for all others; an objective that is always the worst hides the rest.

    Running, z is a statistic of the batch being scalarized, so :meth:`score` updates it; scoring
    the same batch twice changes nothing. A fixed z may be reached but not exceeded: a reward beyond
    it would count as a gap the other way. The study's released code applies the rule to every
    token's reward; here it is applied to a completion's total reward.

    Args:
        reference_point: z, one value per objective; the running maximum if None.
        rho: At least 0.

    Raises:
        CrosstalkError: In training, if a reward is above a fixed z.
    """

    source: ClassVar[str] = "Bowman 1976, doi 10.1007/978-3-642-87563-2_5"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        reference_point: Sequence[float] | None = None,
        rho: float = 0.0,
    ) -> None:
        super().__init__(objectives, weights)
        self.rho = number("rho", rho, minimum=0.0)
        self.running = reference_point is None
        self.state["reference_point"] = (
            torch.full_like(self.weights, -math.inf)
            if reference_point is None
            else vector("reference_point", reference_point, len(self.objectives))
        )

    def score(self, rewards: Tensor) -> Tensor:
        absent = rewards.isnan()
        reference = self.state["reference_point"].to(rewards)
        best = rewards.masked_fill(absent, -math.inf).amax(dim=0)  # (M,)
        if self.running:
            reference = self.state["reference_point"] = torch.maximum(reference, best)
        else:
            self._check_within(best, reference)
        gaps = (self.weights.to(rewards) * (reference - rewards)).masked_fill(absent, -math.inf)
        scores = (-gaps.amax(dim=1)).masked_fill(absent.all(dim=1), torch.nan)
        return scores + self.rho * weighted_sum(rewards, self.weights)

    def _check_within(self, best: Tensor, reference: Tensor) -> None:
        pairs = zip(self.objectives, best.tolist(), reference.tolist(), strict=True)
        for name, reward, limit in pairs:
            if reward > limit + SLACK:
                raise CrosstalkError(
                    "Tchebycheff: reference_point: expected one that no reward exceeds, "
                    f"got {limit:g} for {name!r}, which has a reward of {reward:g}"
                )

    def metrics(self) -> dict[str, float]:
        reference = self.by_objective("reference_point", self.state["reference_point"])
        return super().metrics() | reference
