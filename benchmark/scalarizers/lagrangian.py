"""``lagrangian``: the first objective, subject to thresholds on the others."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import AdvantageScalarizer
from benchmark.scalarizers.vectors import vector


class Lagrangian(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by the primal-dual method.

    The Lagrangian baseline of `Uncovering Cross-Objective Interference in Multi-Objective Alignment
    <https://arxiv.org/abs/2602.06869>`_. The first objective is maximised; every other one is a
    constraint with a multiplier that grows while the objective is below its threshold:

    .. math::
        \lambda_j \leftarrow \max(0, \lambda_j + \eta (d_j - \bar r_j)), \qquad
        A_k = A_{k1} + \sum_{j \ge 2} \lambda_j A_{kj}

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\bar r_j` is the mean reward of the batch under objective j (from ``rewards``);
    - :math:`\lambda_j` is the multiplier of objective j, 0 at first (``state["duals"]``);
    - :math:`\eta` is the multipliers' step (``step_size``; the study's 0.01);
    - :math:`d_j` is the threshold (``thresholds``; the study's 0.9).

    That the multipliers weigh advantages which were normalised one by one, and not rewards, is the
    form that `Constrained GRPO <https://arxiv.org/abs/2602.05863>`_ argues for.

    The multipliers move first and then weigh the same batch: they are a statistic of the batch
    being scalarized, so :meth:`combine` updates them and has to be called once per batch. A
    multiplier keeps its value in a batch its objective does not apply to. The preference weights
    play no part in the rule.

    Args:
        step_size: At least 0.
        thresholds: One value for each objective after the first; 0.9 each if None.
    """

    source: ClassVar[str] = "Lu & Jiang 2026, arXiv 2602.06869 (primal-dual)"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float = 0.01,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        constrained = len(self.objectives) - 1
        self.step_size = number("step_size", step_size, minimum=0.0)
        self.thresholds = vector(
            "thresholds", [0.9] * constrained if thresholds is None else thresholds, constrained
        )
        self.state["duals"] = torch.zeros(constrained)  # (M - 1,)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        shortfalls = self.thresholds.to(rewards) - rewards[:, 1:].nanmean(dim=0)
        step = self.step_size * shortfalls.nan_to_num(nan=0.0)
        self.state["duals"] = (self.state["duals"].to(rewards) + step).clamp(min=0.0)
        multipliers = self.state["duals"].to(advantages)
        return advantages[:, 0] + (multipliers * advantages[:, 1:]).sum(dim=1)

    def metrics(self) -> dict[str, float]:
        duals = self.state["duals"]
        multipliers = torch.cat([duals.new_ones(1), duals])
        constrained = torch.cat([duals.new_full((1,), torch.nan), duals])  # no dual for the first
        return self.by_objective("weight", multipliers) | self.by_objective("dual", constrained)
