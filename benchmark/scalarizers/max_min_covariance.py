"""``max_min_covariance``: the weights under which the worst-served objective covaries most."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import group_totals
from benchmark.common.parameters import number
from benchmark.covariance import SMALLEST_DEVIATION, best_weights, reward_covariance
from benchmark.scalarizers.base import Feedback, ScoreScalarizer, weighted_sum


class MaxMinCovariance(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` by a linear programme.

    This benchmark's own, from the covariance law of `Uncovering Cross-Objective Interference in
    Multi-Objective Alignment <https://arxiv.org/abs/2602.06869>`_: to first order an objective
    gains by its covariance with the score, and for a linear score that is a linear function of the
    weights. They are chosen so that the smallest gain is as large as can be:

    .. math::
        s_k = \sum_j \lambda_j r_{kj}, \qquad
        \lambda = \arg\max_{\lambda \in \Delta} \min_j \frac{(\Sigma \lambda)_j}{\sigma_j^2}, \qquad
        \Sigma \leftarrow (1 - \tau) \Sigma + \tau\, \mathrm{Cov}(R)

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`\mathrm{Cov}(R)` is the batch's mean covariance of rewards within prompts;
    - :math:`\Sigma` is its moving average, which starts at the first value
      (``state["covariance"]``), and :math:`\tau` the share of the newest (``smoothing``; 0.1);
    - :math:`\sigma_j^2` is :math:`\Sigma_{jj}`;
    - :math:`\Delta` is the simplex, and :math:`\lambda` the weights (``state["current_weights"]``).

    The largest minimum is a certificate: above 0 there are weights under which every objective
    gains to first order; at 0 or below the objectives are in a trade-off that no weights resolve
    (tracked, by objective, as ``normalised_covariance``). Objectives whose rewards have not varied
    within any prompt have no part in the programme and weight 0. While that is all of them the
    preference weights (``weights``) are used, which play no other part. A pair of objectives is
    learnt about in the batches where some prompt has two completions that both apply to.

    Args:
        smoothing: From 0 to 1.
    """

    source: ClassVar[str] = "this benchmark, after Lu & Jiang 2026, arXiv 2602.06869"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        smoothing: float = 0.1,
    ) -> None:
        super().__init__(objectives, weights)
        self.smoothing = number("smoothing", smoothing, minimum=0.0, maximum=1.0)
        count = len(self.objectives)
        # In double precision, as the programme: its solution is a corner, which rounding may move.
        self.state["covariance"] = torch.full((count, count), torch.nan, dtype=torch.float64)
        self.state["current_weights"] = self.weights.clone()

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self.state["current_weights"])

    def update(self, feedback: Feedback) -> None:
        rewards = feedback.rewards.double()
        before = self.state["covariance"].to(rewards.device)
        measured = reward_covariance(rewards, feedback.groups)
        moved = (1 - self.smoothing) * before + self.smoothing * measured
        moved = moved.where(before.isfinite(), measured)
        after = moved.where(_observed(rewards, feedback.groups), before).cpu()
        self.state["covariance"] = after
        self.state["current_weights"] = self._solution(after.nan_to_num(nan=0.0))

    def metrics(self) -> dict[str, float]:
        current = self.state["current_weights"]
        covariance = self.state["covariance"].nan_to_num(nan=0.0)
        normalised = (covariance @ current.to(covariance)) / covariance.diagonal()
        normalised = normalised.masked_fill(~_varying(covariance), torch.nan)
        return self.by_objective("weight", current) | self.by_objective(
            "normalised_covariance", normalised
        )

    def _solution(self, covariance: Tensor) -> Tensor:
        """Return the weights (M,) for Sigma (M, M); those in use if the solver fails."""
        varying = _varying(covariance)
        if not varying.any():
            return self.weights.clone()
        among = covariance[varying][:, varying]
        best = best_weights(among / among.diagonal()[:, None])
        if best is None:
            return self.state["current_weights"]
        own = best.weights.to(self.weights)
        return torch.zeros_like(self.weights).masked_scatter(varying, own)


def _observed(rewards: Tensor, groups: Tensor) -> Tensor:
    """Return which pairs of objectives (M, M) some prompt has two completions of."""
    applies = rewards.isfinite().double()
    both = applies[:, :, None] * applies[:, None, :]
    return (group_totals(both, groups) >= 2).any(dim=0)


def _varying(covariance: Tensor) -> Tensor:
    """Return which objectives (M,) have a variance that is not rounding error."""
    return covariance.diagonal() > SMALLEST_DEVIATION**2
