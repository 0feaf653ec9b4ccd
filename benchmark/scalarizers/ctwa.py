"""``ctwa`` (alias ``cover``): weights rise until every objective covaries with the signal."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import flag, number
from benchmark.covariance import group_correlation, group_covariance
from benchmark.scalarizers.base import Feedback, ScoreScalarizer, Signal, weighted_sum
from benchmark.scalarizers.vectors import vector

# e^40 = 2e17: what it weighs drowns all the rest, and its square is still a float32.
LOG_WEIGHT_LIMIT = 40.0


class CTWA(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` that targets covariances.

    Covariance Targeted Weight Adaptation, proposed in `Uncovering Cross-Objective Interference in
    Multi-Objective Alignment <https://arxiv.org/abs/2602.06869>`_. Rewards are summed with weights
    that rise while an objective covaries too little with the completion weights, which are taken
    after the policy update:

    .. math::
        s_k = \sum_j e^{u_j} r_{kj}, \qquad
        \bar c_j \leftarrow (1 - \tau) \bar c_j + \tau c_j, \qquad
        u_j \leftarrow u_j + \eta\, g_j \max(0, c^*_j - \bar c_j)

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`u_j` is the log of the weight, at first that of the preference weight
      (``state["log_weights"]``, from ``weights``; an objective of weight 0 stays out);
    - :math:`c_j` is the group covariance of the reward with the completion weights in this batch,
      or their correlation (``use_correlation``);
    - :math:`\bar c_j` is its moving average, which starts at the first value
      (``state["average"]``), and :math:`\tau` the share of the newest (``smoothing``; 0.1);
    - :math:`c^*_j` is the covariance aimed at (``targets``; 0.15 for the first objective and 0.08
      for each other, the study's values);
    - :math:`g_j` is 0 while the batch mean of :math:`r_j` is at or above its own target
      (``objective_targets``; 1 for the first and 0.95 for each other), else 1;
    - :math:`\eta` is the step (``step_size``; 0.05).

    As in the released code, it updates once a rollout, after all its steps. That code takes the
    covariances of a GPU's share of the rollout, about 4 of a prompt's 16 completions: values a
    fifth smaller than those of whole groups, for which the same targets ask for less.

    Known weakness: the targets have the scale of the rewards and advantages, and weights never
    fall, so that an objective whose covariance stays below its target takes over and another one
    can be lost late in training. ``use_correlation`` removes the dependence on scale. Log weights
    are limited to 40 to keep scores finite, and nothing is learnt about an objective in a batch it
    does not apply to.

    Args:
        step_size: At least 0.
        smoothing: From 0 to 1.
        targets: One value per objective.
        objective_targets: One value per objective.
        use_correlation: Whether to follow correlations in place of covariances.
    """

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.COMPLETION_WEIGHTS})
    source: ClassVar[str] = "Lu & Jiang 2026, arXiv 2602.06869"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float = 0.05,
        smoothing: float = 0.1,
        targets: Sequence[float] | None = None,
        objective_targets: Sequence[float] | None = None,
        use_correlation: bool = False,
    ) -> None:
        super().__init__(objectives, weights)
        count = len(self.objectives)
        self.step_size = number("step_size", step_size, minimum=0.0)
        self.smoothing = number("smoothing", smoothing, minimum=0.0, maximum=1.0)
        self.targets = vector("targets", _default(targets, 0.15, 0.08, count), count)
        self.objective_targets = vector(
            "objective_targets", _default(objective_targets, 1.0, 0.95, count), count
        )
        self.use_correlation = flag("use_correlation", use_correlation)
        self.state["log_weights"] = self.weights.log()
        self.state["average"] = torch.full_like(self.weights, torch.nan)
        self.state["deficits"] = torch.zeros_like(self.weights)

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self._current_weights())

    def update(self, feedback: Feedback) -> None:
        if feedback.completion_weights is None:
            raise ValueError("CTWA.update: feedback.completion_weights: expected values, got None")
        measure = group_correlation if self.use_correlation else group_covariance
        rewards = feedback.rewards
        measured = measure(rewards, feedback.completion_weights, feedback.groups)
        average = self._follow(measured.where(rewards.isfinite().any(dim=0), torch.nan))
        below = rewards.nanmean(dim=0) < self.objective_targets.to(rewards)
        deficits = (self.targets.to(rewards) - average).clamp(min=0.0).where(below, 0.0)
        log_weights = self.state["log_weights"].to(rewards) + self.step_size * deficits
        self.state = {
            "log_weights": log_weights.clamp(max=LOG_WEIGHT_LIMIT),
            "average": average,
            "deficits": deficits,
        }

    def metrics(self) -> dict[str, float]:
        return (
            self.by_objective("weight", self._current_weights())
            | self.by_objective("target_deficit", self.state["deficits"])
            | self.by_objective("average_covariance", self.state["average"])
        )

    def _current_weights(self) -> Tensor:
        return self.state["log_weights"].exp()

    def _follow(self, measured: Tensor) -> Tensor:
        """Return the moving average after ``measured`` (M,), unchanged where that is NaN."""
        average = self.state["average"].to(measured)
        moved = (1 - self.smoothing) * average + self.smoothing * measured
        moved = moved.where(average.isfinite(), measured)
        return moved.where(measured.isfinite(), average)


def _default(
    values: Sequence[float] | None, first: float, others: float, count: int
) -> Sequence[float]:
    return [first, *[others] * (count - 1)] if values is None else values
