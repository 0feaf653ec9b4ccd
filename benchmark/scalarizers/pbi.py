"""``pbi``: shortfalls are held to a ray, if need be by raising them. A positive control."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import AdvantageScalarizer
from benchmark.scalarizers.losses import FollowsLosses, slopes


class PBI(FollowsLosses, AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by boundary intersection.

    Penalty-based Boundary Intersection, from `MOEA/D: A Multiobjective Evolutionary Algorithm Based
    on Decomposition <https://doi.org/10.1109/TEVC.2007.892759>`_, descends the length of the losses
    along a ray and their distance from it:

    .. math::
        A_k = \sum_j \lambda_j A_{kj}, \qquad
        \lambda_j \propto \hat w_j + \theta \frac{e_j}{\|e\|}, \qquad
        e = \ell - (\ell^\top \hat w)\, \hat w, \qquad \hat w = \frac{w}{\|w\|}

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`\ell_j` is the loss, how far the batch's mean reward falls short of its upper bound
      (``upper_bounds``; 1 each);
    - :math:`w` are the preference weights (``weights``), the direction of the ray;
    - :math:`\theta` is the penalty on the distance (``theta``; the paper's 5): at 0 it is
      ``linear``, on advantages.

    The weights are negative for objectives whose loss is smaller than the ray asks for: the rule
    makes them worse on purpose. It is here as a positive control: a benchmark of interference has
    to find it. The scalarization is TorchJD's ``PBI``; that the losses are shortfalls, and weights
    whose magnitudes sum to 1, are ours. An objective of preference weight 0 is not left out: the
    ray asks for a loss of 0.

    Args:
        theta: At least 0.
        upper_bounds: One value per objective.

    Raises:
        CrosstalkError: In training, if a mean reward is above its bound.
    """

    source: ClassVar[str] = "Zhang & Li 2007, doi 10.1109/TEVC.2007.892759"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        theta: float = 5.0,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights, upper_bounds=upper_bounds)
        self.theta = number("theta", theta, minimum=0.0)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        return (self.follow(rewards).to(advantages) * advantages).sum(dim=1)

    def slopes(self, losses: Tensor) -> Tensor:
        from torchjd.scalarization import PBI as Boundary  # loads cvxpy: not before it is needed

        return slopes(lambda each, w: Boundary(self.theta, w)(each), losses, self.weights)
