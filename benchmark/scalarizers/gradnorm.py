"""``gradnorm``: gradients of equal size, larger for objectives that lag behind."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import Feedback, GradientScalarizer
from benchmark.scalarizers.shortfalls import nonnegative, shortfalls
from benchmark.scalarizers.vectors import vector

SMALLEST_WEIGHT = 1e-3  # before weights are brought to their sum


class GradNorm(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` that balances gradient norms.

    `GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask Networks
    <https://arxiv.org/abs/1711.02257>`_ moves the weights towards those under which all weighted
    gradients are of one length, but longer for objectives that train slowly:

    .. math::
        w_j \leftarrow w_j - \eta\, \mathrm{sign}(G_j - \bar G \rho_j^\alpha) \|g_j\|, \qquad
        G_j = w_j \|g_j\|, \qquad \rho_j = \frac{\ell_j / \ell_j(0)}{\mathrm{mean}_k\,
        \ell_k / \ell_k(0)}

    where:

    - :math:`g_j` is the gradient of objective j in the update just made (from
      ``feedback.gramian``), and :math:`\bar G` the mean of the :math:`G_j`;
    - :math:`w` are the weights (``state["current_weights"]``), at first M times the preference
      weights (``weights``; an objective of weight 0 stays out). After a step they are at least
      0.001, and then scaled to sum M;
    - :math:`\ell_j` is the loss, how far the mean reward falls short of its upper bound
      (``upper_bounds``; 1 each), and :math:`\ell_j(0)` that of the first batch it applied to
      (``state["initial_losses"]``);
    - :math:`\rho_j` is the relative inverse training rate, and :math:`\alpha` the strength with
      which it counts (``alpha``; 1.5, the study's and the paper's larger one);
    - :math:`\eta` is the step (``step_size``; the study's 0.025).

    The study's released code takes policy-gradient losses, which are signed and about zero
    on-policy: a power of their ratio is NaN. Shortfalls are positive and say what is left to learn.
    It also weighs a batch with the weights that this batch has moved; here, as in the paper, these
    weigh the next one. An objective that applies to no completion, or whose shortfall was 0 to
    begin with, has no training rate: its :math:`\rho` is 1, and it is left out of the mean, as all
    are where that is 0.

    Args:
        alpha: At least 0; at 0 all lengths are to be equal.
        step_size: At least 0.
        upper_bounds: One value per objective.
    """

    source: ClassVar[str] = "Chen et al. 2018, arXiv 1711.02257"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        alpha: float = 1.5,
        step_size: float = 0.025,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        count = len(self.objectives)
        self.alpha = number("alpha", alpha, minimum=0.0)
        self.step_size = number("step_size", step_size, minimum=0.0)
        if upper_bounds is not None:
            self.upper_bounds = vector("upper_bounds", upper_bounds, count)
        self.state["current_weights"] = count * self.weights.double()
        self.state["initial_losses"] = torch.full((count,), torch.nan, dtype=torch.float64)

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        return self.state["current_weights"].to(gramian, copy=True)

    def update(self, feedback: Feedback) -> None:
        if feedback.gramian is None:
            raise ValueError("GradNorm.update: feedback.gramian: expected values, got None")
        losses = shortfalls(feedback.rewards, self.upper_bounds).cpu()
        losses = nonnegative(losses, self.objectives)
        initial = self.state["initial_losses"]
        self.state["initial_losses"] = initial.where(initial.isfinite(), losses)
        norms = feedback.gramian.diagonal().cpu().clamp(min=0.0).sqrt()
        self.state["current_weights"] = self._moved(norms, self._rates(losses))

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    def _rates(self, losses: Tensor) -> Tensor:
        """Return the relative inverse training rates (M,), 1 where there is none."""
        ratios = losses / self.state["initial_losses"]
        ratios = ratios.masked_fill(ratios.isinf() | (self.weights == 0), torch.nan)
        return (ratios / ratios.nanmean()).nan_to_num(nan=1.0)

    def _moved(self, norms: Tensor, rates: Tensor) -> Tensor:
        """Return the weights (M,) after a step, given the gradients' norms (M,)."""
        before, present = self.state["current_weights"], self.weights > 0
        lengths = before * norms
        target = lengths[present].mean() * rates**self.alpha
        after = before - self.step_size * (lengths - target).sign() * norms
        after = after.clamp(min=SMALLEST_WEIGHT).where(present, 0.0)
        return len(after) * after / after.sum()
