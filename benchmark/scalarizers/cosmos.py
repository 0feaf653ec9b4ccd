"""``cosmos``: the weighted sum, and losses in proportion to the weights. A positive control."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import AdvantageScalarizer
from benchmark.scalarizers.losses import FollowsLosses, slopes


class COSMOS(FollowsLosses, AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` that seeks a direction of losses.

    The objective of `Scalable Pareto Front Approximation for Deep Multi-Objective Learning
    <https://arxiv.org/abs/2103.13392>`_ is the weighted sum of the losses less a multiple of their
    cosine with the weights:

    .. math::
        A_k = \sum_j \lambda_j A_{kj}, \qquad
        \lambda_j \propto w_j - \kappa \Big( \frac{w_j}{\|w\| \|\ell\|}
        - \frac{w^\top \ell}{\|w\| \|\ell\|} \frac{\ell_j}{\|\ell\|^2} \Big)

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\ell_j` is the loss, how far the batch's mean reward falls short of its upper bound
      (``upper_bounds``; 1 each);
    - :math:`w` are the preference weights (``weights``);
    - :math:`\kappa` is the weight of the cosine (``penalty``; the paper takes 0.01 to 8, by data
      set): at 0 it is ``linear``, on advantages.

    Weights may be negative, for objectives whose loss is small: the rule makes them worse on
    purpose, and is here as a positive control beside ``pbi``. Only the paper's objective is here,
    not its model that takes the weights as an input. The scalarization is TorchJD's ``COSMOS``;
    that the losses are shortfalls, and weights whose magnitudes sum to 1, are ours. The cosine
    counts for more the smaller the losses are.

    Args:
        penalty: At least 0.
        upper_bounds: One value per objective.

    Raises:
        CrosstalkError: In training, if a mean reward is above its bound.
    """

    source: ClassVar[str] = "Ruchte & Grabocka 2021, arXiv 2103.13392"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        penalty: float,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights, upper_bounds=upper_bounds)
        self.penalty = number("penalty", penalty, minimum=0.0)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        return (self.follow(rewards).to(advantages) * advantages).sum(dim=1)

    def slopes(self, losses: Tensor) -> Tensor:
        from torchjd.scalarization import COSMOS as Cosine  # loads cvxpy: not before it is needed

        return slopes(lambda each, w: Cosine(self.penalty, w)(each), losses, self.weights)
