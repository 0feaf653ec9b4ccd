"""``maxmin``: train on the objective that is worst off."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import Feedback, ScoreScalarizer, weighted_sum


class MaxMin(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` for the worst-off objective.

    The egalitarian aim of `MaxMin-RLHF: Alignment with Diverse Human Preferences
    <https://arxiv.org/abs/2402.08925>`_, with objectives in the place of groups of people: maximise
    :math:`\min_j E[r_j]`. Without a step the objective of the lowest mean is trained on alone; with
    one the weights follow the means, multiplicatively:

    .. math::
        s_k = r_{k j^*}, \quad j^* = \arg\min_j \bar r_j
        \qquad \text{or} \qquad
        s_k = \sum_j p_j r_{kj}, \quad p_j \leftarrow \frac{p_j e^{-\eta \bar r_j}}
        {\sum_l p_l e^{-\eta \bar r_l}}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``), and
      :math:`\bar r_j` its mean: over the batch being scored on the left, over the batch of the
      policy update on the right;
    - :math:`p` are the weights (the exponential of ``state["log_weights"]``), at first the
      preference weights (``weights``);
    - :math:`\eta` is the step (``step_size``); None stands for the rule on the left.

    Means compare as they are: rewards of different ranges want scaling first. On the left the
    preference weights play no part, and a completion to which the objective chosen does not apply
    has the score NaN. On the right an objective of weight 0 stays out, and one that applies to no
    completion of the batch keeps its weight.

    Args:
        step_size: At least 0, or None.
    """

    source: ClassVar[str] = "Chakraborty et al. 2024, arXiv 2402.08925"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        self.step_size = None if step_size is None else number("step_size", step_size, minimum=0.0)
        self.state["log_weights"] = self.weights.log()

    def score(self, rewards: Tensor) -> Tensor:
        if self.step_size is not None:
            return weighted_sum(rewards, self._current_weights())
        means = _means(rewards)
        lowest = int(means.masked_fill(means.isnan(), math.inf).argmin())
        chosen = torch.full_like(self.state["log_weights"], -math.inf)
        chosen[lowest] = 0.0
        self.state["log_weights"] = chosen
        return rewards[:, lowest]

    def update(self, feedback: Feedback) -> None:
        if self.step_size is None:
            return
        means = _means(feedback.rewards)
        before = self.state["log_weights"].to(means)
        known = means.isfinite() & before.isfinite()
        moved = (before - self.step_size * means).masked_fill(~known, -math.inf)
        share = before.masked_fill(~known, -math.inf).logsumexp(dim=0)  # stays with these
        after = torch.where(known, moved.log_softmax(dim=0) + share, before)
        self.state["log_weights"] = after.to(self.state["log_weights"])

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self._current_weights())

    def _current_weights(self) -> Tensor:
        return self.state["log_weights"].exp()


def _means(rewards: Tensor) -> Tensor:
    """Return the mean reward (M,); in double precision, so that order does not decide ties."""
    return rewards.double().nanmean(dim=0)
