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
        A_k = A_{k1} + \sum_{j \ge 2} \lambda_j A_{kj}, \qquad
        I_j \leftarrow \max(0, I_j + \eta e_j), \qquad
        \lambda_j = \max(0, I_j + K_P e_j + K_D \max(0, \bar r'_j - \bar r_j)), \qquad
        e_j = d_j - \bar r_j

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\bar r_j` is the mean reward of the batch under objective j (from ``rewards``);
    - :math:`\lambda_j` is the multiplier of objective j, 0 at first (``state["duals"]``);
    - :math:`I_j` is what has accumulated of it, 0 at first (``state["integral"]``), and
      :math:`\eta` its step (``step_size``; the study's 0.01);
    - :math:`d_j` is the threshold (``thresholds``; the study's 0.9), so that :math:`e_j` is what
      the constraint lacks;
    - :math:`K_P` and :math:`K_D` are gains on what it lacks now and on how far the mean has fallen
      since the batch before, :math:`\bar r'` (``proportional``, ``derivative``). Both are 0 in the
      study: then :math:`\lambda = I`. With them it is the PID controller of `Responsive Safety in
      Reinforcement Learning by PID Lagrangian Methods <https://arxiv.org/abs/2007.03964>`_, without
      its moving averages of e and :math:`\bar r`: an integral alone overshoots and oscillates.

    That the multipliers weigh advantages which were normalised one by one, and not rewards, is the
    form that `Constrained GRPO <https://arxiv.org/abs/2602.05863>`_ argues for.

    The multipliers move first and then weigh the same batch: they are a statistic of the batch
    being scalarized, so :meth:`combine` updates them and has to be called once per batch. A
    multiplier keeps its value in a batch its objective does not apply to. The preference weights
    play no part in the rule.

    Args:
        step_size: At least 0.
        thresholds: One value for each objective after the first; 0.9 each if None.
        proportional: At least 0.
        derivative: At least 0.
    """

    source: ClassVar[str] = (
        "Lu & Jiang 2026, arXiv 2602.06869 (primal-dual); Stooke et al. 2020, arXiv 2007.03964"
    )

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float = 0.01,
        thresholds: Sequence[float] | None = None,
        proportional: float = 0.0,
        derivative: float = 0.0,
    ) -> None:
        super().__init__(objectives, weights)
        constrained = len(self.objectives) - 1
        self.step_size = number("step_size", step_size, minimum=0.0)
        self.thresholds = vector(
            "thresholds", [0.9] * constrained if thresholds is None else thresholds, constrained
        )
        self.proportional = number("proportional", proportional, minimum=0.0)
        self.derivative = number("derivative", derivative, minimum=0.0)
        self.state["duals"] = torch.zeros(constrained)  # (M - 1,)
        self.state["integral"] = torch.zeros(constrained)
        self.state["means"] = torch.full((constrained,), torch.nan)  # of the batch before

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        self._move(rewards[:, 1:].nanmean(dim=0))
        multipliers = self.state["duals"].to(advantages)
        return advantages[:, 0] + (multipliers * advantages[:, 1:]).sum(dim=1)

    def _move(self, means: Tensor) -> None:
        """Move the multipliers by the means (M - 1,) of a batch, NaN where there is none."""
        known = means.isfinite()
        lacks = (self.thresholds.to(means) - means).where(known, 0.0)
        before = self.state["means"].to(means)
        fallen = (before - means).clamp(min=0.0).nan_to_num(nan=0.0)
        integral = (self.state["integral"].to(means) + self.step_size * lacks).clamp(min=0.0)
        duals = integral + self.proportional * lacks + self.derivative * fallen
        duals = duals.clamp(min=0.0).where(known, self.state["duals"].to(means))
        self.state |= {
            "duals": duals,
            "integral": integral,
            "means": means.where(known, before),
        }

    def metrics(self) -> dict[str, float]:
        duals = self.state["duals"]
        multipliers = torch.cat([duals.new_ones(1), duals])
        constrained = torch.cat([duals.new_full((1,), torch.nan), duals])  # no dual for the first
        return self.by_objective("weight", multipliers) | self.by_objective("dual", constrained)
