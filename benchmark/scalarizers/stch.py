"""``stch``: weights of the present batch's shortfalls, by a smooth maximum."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import ScoreScalarizer, weighted_sum
from benchmark.scalarizers.losses import FollowsLosses, slopes

SMALLEST_MU = 1e-6  # in effect the maximum


class STCH(FollowsLosses, ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` by a smooth maximum of shortfalls.

    `Smooth Tchebycheff Scalarization for Multi-Objective Optimization
    <https://arxiv.org/abs/2402.19078>`_ minimises :math:`\mu \log \sum_j e^{w_j \ell_j / \mu}`, a
    smooth maximum of weighted losses. Its gradient weighs the losses by

    .. math::
        \lambda_j \propto w_j\, \mathrm{softmax}_j(w_j \ell_j / \mu), \qquad
        \ell_j = b_j - \bar r_j, \qquad s_k = \sum_j \lambda_j r_{kj}

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``), and
      :math:`\bar r_j` its mean over this batch;
    - :math:`b_j` is the most that mean can be (``upper_bounds``; 1 each), the paper's ideal point;
    - :math:`w` are the preference weights (``weights``);
    - :math:`\mu` is the smoothing (``mu``; the paper tries 0.01, 0.1, 0.5 and 1, none being the
      best everywhere): at infinity the weights are w, which is ``linear``, and at 0 the objective
      of the largest weighted shortfall takes all (``tchebycheff_mean``).

    The scalarization is TorchJD's ``STCH``. That the losses are shortfalls of mean rewards, and
    that the weights are scaled to sum 1, is ours. In contrast to ``smooth_tchebycheff``, whose
    weights accumulate shortfalls, these follow the present batch alone, and return to w where the
    weighted shortfalls are equal.

    Args:
        mu: At least 1e-6.
        upper_bounds: One value per objective.

    Raises:
        CrosstalkError: In training, if a mean reward is above its bound.
    """

    source: ClassVar[str] = "Lin et al. 2024, arXiv 2402.19078"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        mu: float,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights, upper_bounds=upper_bounds)
        self.mu = number("mu", mu, minimum=SMALLEST_MU)

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self.follow(rewards))

    def slopes(self, losses: Tensor) -> Tensor:
        from torchjd.scalarization import STCH as Smooth  # loads cvxpy: not before it is needed

        return slopes(lambda values, w: Smooth(self.mu, w)(values), losses, self.weights)
