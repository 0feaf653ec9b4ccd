"""``geometric_mean``: objectives weigh the more the less is left of their shortfall."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import AdvantageScalarizer
from benchmark.scalarizers.losses import FollowsLosses, slopes

SMALLEST_EPSILON = 1e-9


class GeometricMean(FollowsLosses, AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by the geometric mean of losses.

    The Geometric Loss Strategy of `MultiNet++: Multi-Stream Feature Aggregation and Geometric Loss
    Strategy for Multi-Task Learning <https://arxiv.org/abs/1904.08492>`_ descends
    :math:`\prod_j \ell_j^{1/M}`, so that all losses fall at one rate, relative to what they are:

    .. math::
        A_k = \sum_j \lambda_j A_{kj}, \qquad \lambda_j \propto \frac{w_j}{\max(\ell_j, \epsilon)},
        \qquad \ell_j = b_j - \bar r_j

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\bar r_j` is the mean reward of the batch (from ``rewards``), and :math:`b_j` the most
      it can be (``upper_bounds``; 1 each);
    - :math:`w` are the preference weights (``weights``), exponents of a weighted mean; equal ones
      are the paper's 1/M;
    - :math:`\epsilon` is the least loss (``epsilon``; 0.01, ours): at 0 the derivative is infinite.

    The scalarization is TorchJD's ``GeometricMean``. That the losses are shortfalls, the preference
    weights, the floor and the scaling of the weights to sum 1 are ours. It is ``famo`` without a
    step. An objective that is nearly solved weighs most: what is left of it is hardest to halve.

    Args:
        epsilon: At least 1e-9.
        upper_bounds: One value per objective.

    Raises:
        CrosstalkError: In training, if a mean reward is above its bound.
    """

    source: ClassVar[str] = "Chennupati et al. 2019, arXiv 1904.08492"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        epsilon: float = 0.01,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights, upper_bounds=upper_bounds)
        self.epsilon = number("epsilon", epsilon, minimum=SMALLEST_EPSILON)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        return (self.follow(rewards).to(advantages) * advantages).sum(dim=1)

    def slopes(self, losses: Tensor) -> Tensor:
        from torchjd.scalarization import GeometricMean as Mean  # loads cvxpy

        found = slopes(
            lambda values, w: Mean()(values), losses.clamp(min=self.epsilon), self.weights
        )
        return self.weights.double() * found
