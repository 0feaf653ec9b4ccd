"""``mgda``: the shortest convex combination of the objectives' gradients."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import flag, number, refuse
from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.gramians import norms_and_cosines, square_root

LARGEST_POWER = 10.0  # beyond it the powers of usual norms leave the range of numbers


class MGDA(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by the min-norm point.

    `Multiple-gradient descent algorithm (MGDA) for multiobjective optimization
    <https://doi.org/10.1016/j.crma.2012.03.014>`_, for neural networks in `Multi-Task Learning as
    Multi-Objective Optimization <https://arxiv.org/abs/1810.04650>`_. A step along the shortest
    convex combination of the gradients makes no objective worse, to first order; where it has
    length 0 the point is Pareto-stationary:

    .. math::
        w = \arg\min_{\alpha \in \Delta} \alpha^\top \mathcal{G} \alpha

    where:

    - :math:`\mathcal{G}` is the Gramian of the objectives' gradients (``gramian``);
    - :math:`\Delta` is the simplex;
    - with ``normalize`` the gradients are first brought to norm 1, so that small ones do not
      decide alone: :math:`w_j \propto \alpha_j / \|g_j\|`, :math:`\alpha` being the solution for
      the cosines. The weights are scaled to sum 1, and the step keeps the scale of the gradients;
    - with ``power`` p they are first divided by the p-th power of their norms:
      :math:`w_j \propto \alpha_j / \|g_j\|^p`, :math:`\alpha` being the solution for
      :math:`g_j / \|g_j\|^p`. That is `GAPO <https://arxiv.org/abs/2507.01915>`_, which finds 1,
      the same as ``normalize``, the better of 1 and 2. (Its text was not to be seen; of two that
      retell it, one has the exponent 2p.)
    - with ``preferred`` :math:`\alpha` is not solved for: it is the preference weights
      (``weights``), and p is 1 unless given: :math:`w_j \propto \alpha_j / \|g_j\|^p`, P-GAPO. An
      objective without a gradient is then left out.

    The solution is exact, by non-negative least squares (SciPy's ``nnls``): with rows
    :math:`\mathcal{G} = J J^\top`, :math:`\arg\min_{x \ge 0} \|J^\top x\|^2 + (1^\top x - 1)^2` is
    a multiple of it. TorchJD's Frank-Wolfe solver of the same problem (``torchjd:MGDA``) misses the
    optimality conditions by percents where the gradients' norms differ much.

    Otherwise the preference weights play no part, unless no objective has a gradient. An objective
    without one, because the batch's rewards under it are equal, is a point of length 0 itself: by
    the rule it takes all the weight, and the batch moves nothing.

    Args:
        normalize: Whether to bring the gradients to norm 1 first.
        power: From 0 to 10, in place of ``normalize``; None for 0, or 1 with ``preferred``.
        preferred: Whether to weigh the scaled gradients by the preference weights.
    """

    source: ClassVar[str] = (
        "Désidéri 2012; Sener & Koltun 2018, arXiv 1810.04650; GAPO 2025, arXiv 2507.01915"
    )

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        normalize: bool = False,
        power: float | None = None,
        preferred: bool = False,
    ) -> None:
        super().__init__(objectives, weights)
        self.preferred = flag("preferred", preferred)
        normalize = flag("normalize", normalize)
        if power is not None and normalize:
            refuse("power", "none beside normalize, which is a power of 1", power)
        default = 1.0 if normalize or self.preferred else 0.0
        limit = LARGEST_POWER
        self.power = default if power is None else number("power", power, 0.0, limit)
        self.state["current_weights"] = self.weights.double()

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        self.state["current_weights"] = self._solution(gramian.double())
        return self.state["current_weights"].clone()

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    def _solution(self, gramian: Tensor) -> Tensor:
        norms, cosines = norms_and_cosines(gramian)
        without = norms == 0
        if without.all():
            return self.weights.to(gramian)
        if self.preferred:
            return self._preferred(norms)
        if without.any():
            return without.to(gramian) / without.sum()
        inverse = norms.min() / norms  # of unit gradients x, the weights are x / norm
        constraint = inverse ** (1 - self.power)  # x = alpha norm^(1 - power)
        weights = inverse * _min_norm(square_root(cosines), constraint / constraint.max())
        return weights / weights.sum()

    def _preferred(self, norms: Tensor) -> Tensor:
        """Return the preference weights (M,) over powers of the norms (M,), 0 where those are."""
        some = (norms > 0) & (self.weights > 0)
        if not some.any():
            return self.weights.to(norms)
        ratios = norms[some].min() / norms.where(some, 1.0)
        weights = (self.weights.to(norms) * ratios**self.power).where(some, 0.0)
        return weights / weights.sum()


def _min_norm(rows: Tensor, constraint: Tensor) -> Tensor:
    """Return a multiple of argmin |rows' x|^2 over x (M,) >= 0 with constraint' x = 1."""
    from scipy.optimize import nnls

    matrix = torch.cat([rows.T, constraint[None]])  # (M + 1, M)
    target = torch.zeros(len(matrix), dtype=matrix.dtype)
    target[-1] = 1.0
    solution, _ = nnls(matrix.numpy(), target.numpy(), maxiter=100 * len(matrix))
    return torch.from_numpy(solution)
