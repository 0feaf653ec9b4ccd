"""``smooth_tchebycheff``: weights drift to the objectives farthest from the best reward seen."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import Feedback, ScoreScalarizer, weighted_sum
from benchmark.scalarizers.vectors import vector

SMALLEST_TEMPERATURE = 1e-6


class SmoothTchebycheff(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` by smooth Tchebycheff weights.

    The form that `Uncovering Cross-Objective Interference in Multi-Objective Alignment
    <https://arxiv.org/abs/2602.06869>`_ gives: the shares of the objectives follow their weighted
    gaps by mirror descent:

    .. math::
        s_k = \sum_j \lambda_j r_{kj}, \qquad \lambda = \mathrm{softmax}(u / T), \qquad
        u_j \leftarrow u_j + \eta\, w_j (z_j - \bar r_j)

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``), and
      :math:`\bar r_j` its mean over the batch;
    - :math:`w` are the preference weights (``weights``);
    - :math:`u_j` is the log of the share, at first that of the preference weight
      (``state["log_weights"]``; an objective of weight 0 stays out);
    - :math:`z_j` is the highest reward of any completion under objective j so far, this batch
      included (``state["reference_point"]``), or fixed (``reference_point``);
    - :math:`\eta` is the step (``step_size``; the study's 0.3);
    - :math:`T` is the temperature (``temperature``; the study's 1): the lower, the more the largest
      share takes.

    This is not the smoothing of `Smooth Tchebycheff Scalarization for Multi-Objective Optimization
    <https://arxiv.org/abs/2402.19078>`_, whose weights are a softmax of the present gaps and return
    to the preferences when these are equal. Here gaps add up, in u, without forgetting: online
    mirror descent on the hard Tchebycheff problem, an integral controller whose shares go to one
    objective while its gap stays the largest. The study's released code does not have the method.

    Both u and z move after the policy update, by the rewards it was made with. Nothing is learnt
    about an objective in a batch it does not apply to.

    Args:
        step_size: At least 0.
        temperature: At least 1e-6.
        reference_point: z, one value per objective; the running maximum if None.
    """

    source: ClassVar[str] = "Lu & Jiang 2026, arXiv 2602.06869; after Lin et al., arXiv 2402.19078"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float = 0.3,
        temperature: float = 1.0,
        reference_point: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        self.step_size = number("step_size", step_size, minimum=0.0)
        self.temperature = number("temperature", temperature, minimum=SMALLEST_TEMPERATURE)
        self.running = reference_point is None
        self.state["log_weights"] = self.weights.log()
        self.state["reference_point"] = (
            torch.full_like(self.weights, -math.inf)
            if reference_point is None
            else vector("reference_point", reference_point, len(self.objectives))
        )

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self._current_weights())

    def update(self, feedback: Feedback) -> None:
        rewards = feedback.rewards
        reference = self.state["reference_point"].to(rewards)
        if self.running:
            best = rewards.masked_fill(rewards.isnan(), -math.inf).amax(dim=0)  # (M,)
            reference = torch.maximum(reference, best)
        gaps = self.weights.to(rewards) * (reference - rewards.nanmean(dim=0))
        step = self.step_size * gaps.nan_to_num(nan=0.0)
        log_weights = self.state["log_weights"].to(rewards) + step
        self.state = {"log_weights": log_weights, "reference_point": reference}

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self._current_weights()) | self.by_objective(
            "reference_point", self.state["reference_point"]
        )

    def _current_weights(self) -> Tensor:
        return (self.state["log_weights"] / self.temperature).softmax(dim=0)
