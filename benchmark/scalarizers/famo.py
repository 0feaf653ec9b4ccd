"""``famo``: all losses fall at one rate, learnt from the losses alone."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import AdvantageScalarizer, Feedback, Signal
from benchmark.scalarizers.shortfalls import nonnegative, shortfalls
from benchmark.scalarizers.vectors import vector

SMALLEST_EPSILON = 1e-9


class FAMO(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that evens out relative progress.

    `FAMO: Fast Adaptive Multitask Optimization <https://arxiv.org/abs/2306.03792>`_ descends a
    weighted sum of the logarithms of the losses, and learns the weights from how much each
    logarithm fell:

    .. math::
        A_k = \sum_j w_j A_{kj}, \qquad
        w_j = \frac{z_j / \ell_j}{\sum_i z_i / \ell_i}, \qquad z = \mathrm{softmax}(\xi), \qquad
        \delta_j = \log \ell_j^{\text{before}} - \log \ell_j^{\text{after}}

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\ell_j` is the loss, how far the mean reward falls short of its upper bound
      (``upper_bounds``; 1 each): in the batch being scalarized for the weights
      (``state["current_weights"]``), before and after the policy update for :math:`\delta`
      (``feedback.losses_before``, ``feedback.losses_after``). It is at least ``epsilon``;
    - :math:`\xi` are the logits (``state["logits"]``), at first the logarithms of the preference
      weights relative to the largest of them (``weights``): 0 where these are equal. An objective
      of weight 0 stays out;
    - after the update Adam takes a step on :math:`\xi` against :math:`J^\top \delta`, J being the
      Jacobian of the softmax, with learning rate ``step_size`` (the paper's and the study's 0.025)
      and weight decay ``regularization`` (1e-5 in the paper's code and the study). What Adam
      remembers is in the state, too.

    The policy gradient is linear in the advantages. Weighing these weighs the objectives' losses,
    then, without their gradients: exactly on-policy and without clipping. With clipping the sign of
    the joint advantage, in place of each objective's own, decides which side of a ratio is cut.

    Losses of policy gradients are signed and have no logarithm (the study's released code takes it
    all the same); shortfalls are positive until every completion has the full reward. Then the
    logarithm is undefined and the weight infinite, hence ``epsilon``: at 0.01 an objective is as
    good as solved when its mean is within a hundredth of the bound, which is as fine as a batch
    of some hundred completions can tell, and its weight is at most a hundred times that of one
    with everything to learn. An objective that applies to no completion has weight 0 in that
    batch, and :math:`\delta_j = 0`.

    Args:
        step_size: At least 0.
        regularization: At least 0.
        epsilon: At least 1e-9.
        upper_bounds: One value per objective.
    """

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.LOSSES})
    source: ClassVar[str] = "Liu et al. 2023, arXiv 2306.03792"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float = 0.025,
        regularization: float = 1e-5,
        epsilon: float = 0.01,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        self.step_size = number("step_size", step_size, minimum=0.0)
        self.regularization = number("regularization", regularization, minimum=0.0)
        self.epsilon = number("epsilon", epsilon, minimum=SMALLEST_EPSILON)
        if upper_bounds is not None:
            self.upper_bounds = vector("upper_bounds", upper_bounds, len(self.objectives))
        weight = self.weights.double()
        logits = (weight / weight.max()).log().where(weight > 0, 0.0)
        self.state["logits"] = logits
        self.state["mean"] = torch.zeros_like(logits)  # Adam's, of the gradient
        self.state["square"] = torch.zeros_like(logits)  # and of its square
        self.state["steps"] = torch.tensor(0.0)
        self.state["current_weights"] = weight

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        losses = self._bounded(shortfalls(rewards, self.upper_bounds))
        shares = (self._shares() / losses).nan_to_num(nan=0.0)
        if shares.sum() > 0:
            self.state["current_weights"] = shares / shares.sum()
        return (self.state["current_weights"].to(advantages) * advantages).sum(dim=1)

    def update(self, feedback: Feedback) -> None:
        if feedback.losses_before is None or feedback.losses_after is None:
            raise ValueError("FAMO.update: feedback.losses_*: expected values, got None")
        before = self._bounded(feedback.losses_before)
        after = self._bounded(feedback.losses_after)
        progress = (before.log() - after.log()).nan_to_num(nan=0.0)
        shares = self._shares()
        self._adam(shares * (progress - (shares * progress).sum()))

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    def _bounded(self, losses: Tensor) -> Tensor:
        """Return losses (M,) of at least epsilon, NaN where there is none."""
        return nonnegative(losses.double().cpu(), self.objectives).clamp(min=self.epsilon)

    def _shares(self) -> Tensor:
        """Return z (M,)."""
        return self.state["logits"].masked_fill(self.weights == 0, -torch.inf).softmax(dim=0)

    def _adam(self, gradient: Tensor) -> None:
        """Let Adam take one step on the logits, going on from its state."""
        logits, mean, square, steps = (
            self.state[name].clone() for name in ("logits", "mean", "square", "steps")
        )
        adam = torch.optim.Adam([logits], lr=self.step_size, weight_decay=self.regularization)
        adam.state[logits] = {"step": steps, "exp_avg": mean, "exp_avg_sq": square}
        logits.grad = gradient
        adam.step()
        logits.grad = None
        self.state |= {"logits": logits, "mean": mean, "square": square, "steps": steps}
