"""``nash_mtl``: the weights that the objectives would bargain for."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.gramians import norms_and_cosines

RIDGE = 1e-8  # on the squares of unit gradients: no weight exceeds 1e4 sqrt(M) / norm
TOLERANCE = 1e-6  # of Newton's decrement, which is the relative error of the weights
STEPS = 1000  # some 10 are taken, some 100 where the rule has no solution


class NashMTL(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by the Nash bargaining solution.

    `Multi-Task Learning as a Bargaining Game <https://arxiv.org/abs/2202.01017>`_ takes the step of
    bounded length that maximises the product of the objectives' gains. Up to its length it is the
    sum of the gradients with the positive weights for which

    .. math::
        \mathcal{G} w = 1 / w

    where:

    - :math:`\mathcal{G}` is the Gramian of the objectives' gradients (``gramian``);
    - :math:`1 / w` is taken entry by entry.

    No objective's scale matters: one whose gradient is c times as long gets a c-th of the weight.
    The sum of the gradients has norm :math:`\sqrt M` whatever their own are. Adam divides that out,
    but regularisers count for more or less beside it, and a limit on the norm may cut it.

    The equation says that the gradient of the strictly convex function
    :math:`\tfrac12 w^\top \mathcal{G} w - \sum_j \log w_j` is 0. It is self-concordant, so damped
    Newton steps find its one minimum to any precision, whatever they start from: nothing is carried
    over between batches, unlike in the paper's sequence of convex programmes (``torchjd:NashMTL``),
    which does not always come to a solution.

    There is none at a Pareto-stationary point, where some convex combination of the gradients is 0.
    A term of 1e-8 is therefore added to the squares of the gradients brought to norm 1; at such a
    point the weights are up to :math:`10^4 \sqrt M / \|g_j\|` and the sum of the gradients nearly
    cancels. An objective without a gradient would get an infinite weight: it gets 0 and does not
    count among the M. Without any gradient the preference weights (``weights``) are returned, which
    play no other part.
    """

    source: ClassVar[str] = "Navon et al. 2022, arXiv 2202.01017"

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        super().__init__(objectives, weights)
        self.state["current_weights"] = self.weights.double()

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        norms, cosines = norms_and_cosines(gramian.double())
        some = norms > 0
        found = torch.zeros_like(norms)
        found[some] = _bargain(cosines[some][:, some]) / norms[some]
        self.state["current_weights"] = found if some.any() else self.weights.to(found)
        return self.state["current_weights"].clone()

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])


def _bargain(cosines: Tensor) -> Tensor:
    """Return the w (M,) > 0 with (C + ridge) w = 1 / w for the cosines C (M, M).

    The Newton step is solved for relative to w, where the Hessian's eigenvalues are at least 1.
    """
    one = torch.eye(len(cosines), dtype=cosines.dtype)
    matrix = cosines + RIDGE * one
    weights = torch.ones_like(cosines.diagonal())
    for _ in range(STEPS):
        gradient = weights * (matrix @ weights) - 1
        hessian = weights[:, None] * matrix * weights + one
        step = torch.linalg.solve(hessian, gradient)
        decrement = (gradient @ step).clamp(min=0.0).sqrt()
        weights = weights * (1 - step / (1 + decrement))
        if decrement < TOLERANCE:
            break
    return weights
