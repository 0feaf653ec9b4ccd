"""``dwa``: objectives whose shortfall falls more slowly weigh more."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import integer, number
from benchmark.scalarizers.base import AdvantageScalarizer, Feedback
from benchmark.scalarizers.losses import FollowsLosses

SMALLEST_EPSILON = 1e-9
SMALLEST_TEMPERATURE = 1e-6


class DWA(FollowsLosses, AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by rates of descent.

    Dynamic Weight Average, from `End-to-End Multi-Task Learning with Attention
    <https://arxiv.org/abs/1803.10704>`_, compares the mean losses of two windows of batches:

    .. math::
        A_k = \sum_j \lambda_j A_{kj}, \qquad
        \lambda_j \propto w_j\, e^{q_j / T}, \qquad
        q_j = \frac{\ell_j(t - 1)}{\ell_j(t - 2)}

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\ell_j(t)` is the mean over window t of the loss, how far the batch's mean reward falls
      short of its upper bound (``upper_bounds``; 1 each), at least ``epsilon`` (0.01, ours: a
      ratio to 0 is infinite). A window has ``window`` batches (10, ours, where the paper has an
      epoch: the ratio of single batches is noise);
    - :math:`T` is the temperature (``temperature``; the paper's 2): at infinity it is ``linear``,
      on advantages;
    - :math:`w` are the preference weights (``weights``), which the paper does not have. In the
      first two windows they are the weights.

    The scalarization is TorchJD's ``DWA``; its weights, of sum M, are scaled to sum 1 here. An
    objective that applied to no completion of one of the windows has q = 1, that of a loss that
    stays. Batches are counted after the policy update.

    Args:
        temperature: At least 1e-6.
        window: At least 1.
        epsilon: At least 1e-9.
        upper_bounds: One value per objective.

    Raises:
        CrosstalkError: In training, if a mean reward is above its bound.
    """

    source: ClassVar[str] = "Liu et al. 2019, arXiv 1803.10704"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        temperature: float = 2.0,
        window: int = 10,
        epsilon: float = 0.01,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights, upper_bounds=upper_bounds)
        self.temperature = number("temperature", temperature, minimum=SMALLEST_TEMPERATURE)
        self.window = integer("window", window, minimum=1)
        self.epsilon = number("epsilon", epsilon, minimum=SMALLEST_EPSILON)
        none = torch.zeros(len(self.objectives), dtype=torch.float64)
        self.state["batches"] = torch.tensor(0)  # of the window under way
        self.state["sums"], self.state["counts"] = none, none.clone()
        self.state["means"] = torch.full((2, len(none)), torch.nan, dtype=torch.float64)  # t-2, t-1
        self.state["windows"] = torch.tensor(0)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        return (self.state["current_weights"].to(advantages) * advantages).sum(dim=1)

    def update(self, feedback: Feedback) -> None:
        losses = self.losses(feedback.rewards).clamp(min=self.epsilon)
        known = losses.isfinite()
        self.state["sums"] = self.state["sums"] + losses.where(known, 0.0)
        self.state["counts"] = self.state["counts"] + known.double()
        self.state["batches"] = self.state["batches"] + 1
        if self.state["batches"] >= self.window:
            self._roll()

    def _roll(self) -> None:
        """Close the window, and weigh by the last two if there are two."""
        mean = self.state["sums"] / self.state["counts"]  # NaN without any
        self.state["means"] = torch.stack([self.state["means"][1], mean])
        self.state["windows"] = self.state["windows"] + 1
        self.state["batches"] = torch.zeros_like(self.state["batches"])
        self.state["sums"] = torch.zeros_like(mean)
        self.state["counts"] = torch.zeros_like(mean)
        if self.state["windows"] >= 2:
            found = self.weights.double() * self.slopes(mean)
            self.state["current_weights"] = found / found.sum()

    def slopes(self, losses: Tensor) -> Tensor:
        from torchjd.scalarization import DWA as Average  # loads cvxpy: not before it is needed

        means = self.state["means"]
        known = means.isfinite().all(dim=0)
        scalarization = Average(self.temperature)
        for window in means.where(known, 1.0):
            scalarization(window)
            scalarization.step()
        values = losses.where(known, 1.0).requires_grad_()
        with torch.enable_grad():
            total = scalarization(values)
        return torch.autograd.grad(total, values)[0]
