"""``mgda``: the shortest convex combination of the objectives' gradients."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import flag
from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.gramians import norms_and_cosines, square_root


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
      the cosines. The weights are scaled to sum 1, and the step keeps the scale of the gradients.

    The solution is exact, by non-negative least squares (SciPy's ``nnls``): with rows
    :math:`\mathcal{G} = J J^\top`, :math:`\arg\min_{x \ge 0} \|J^\top x\|^2 + (1^\top x - 1)^2` is
    a multiple of it. TorchJD's Frank-Wolfe solver of the same problem (``torchjd:MGDA``) misses the
    optimality conditions by percents where the gradients' norms differ much.

    The preference weights play no part, unless no objective has a gradient. An objective without
    one, because the batch's rewards under it are equal, is a point of length 0 itself: by the
    rule it takes all the weight, and the batch moves nothing.

    Args:
        normalize: Whether to bring the gradients to norm 1 first.
    """

    source: ClassVar[str] = "Désidéri 2012; Sener & Koltun 2018, arXiv 1810.04650"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        normalize: bool = False,
    ) -> None:
        super().__init__(objectives, weights)
        self.normalize = flag("normalize", normalize)
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
        if without.any():
            return without.to(gramian) / without.sum()
        inverse = norms.min() / norms  # of unit gradients x, the weights are x / norm
        constraint = torch.ones_like(inverse) if self.normalize else inverse
        weights = inverse * _min_norm(square_root(cosines), constraint)
        return weights / weights.sum()


def _min_norm(rows: Tensor, constraint: Tensor) -> Tensor:
    """Return a multiple of argmin |rows' x|^2 over x (M,) >= 0 with constraint' x = 1."""
    from scipy.optimize import nnls

    matrix = torch.cat([rows.T, constraint[None]])  # (M + 1, M)
    target = torch.zeros(len(matrix), dtype=matrix.dtype)
    target[-1] = 1.0
    solution, _ = nnls(matrix.numpy(), target.numpy(), maxiter=100 * len(matrix))
    return torch.from_numpy(solution)
