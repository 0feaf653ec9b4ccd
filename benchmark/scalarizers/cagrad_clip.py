"""``cagrad_clip`` (alias ``raco``): conflict aversion, clipped by the preferences."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import flag, number
from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.gramians import square_root

STATIONARY = 1e-6  # in units of the gradients' mean square root: a shorter correction is none

TOLERANCE = 1e-9  # of the solver; where gradients differ by decades it may come to 1e-6 alone


class CAGradClip(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by clipped conflict aversion.

    `Reward-free Alignment for Conflicting Objectives <https://arxiv.org/abs/2602.02495>`_ (RACO)
    takes the step of `CAGrad <https://arxiv.org/abs/2110.14048>`_ around the preferred sum of the
    gradients, and clips what it adds by the preferences, so that an objective of small weight
    cannot take the step over:

    .. math::
        w + \frac{s}{\sqrt{\tilde p^\top \mathcal{G} \tilde p}}\, \tilde p, \qquad
        \tilde p = \min(p, w), \qquad
        p = \arg\min_{p \in \Delta} b^\top p + s \sqrt{p^\top \mathcal{G} p}, \qquad
        b = \mathcal{G} w, \quad s = c \sqrt{w^\top \mathcal{G} w}

    where:

    - :math:`\mathcal{G}` is the Gramian of the objectives' gradients (``gramian``), and
      :math:`\Delta` the simplex;
    - :math:`w` are the preference weights (``weights``);
    - :math:`c` is how long the correction is, in lengths of the preferred step (``c``; the authors'
      0.4): at 0 it is that step, and below 1 it descends the preferred sum of losses;
    - the minimum is entry by entry (``clip``; without it :math:`\tilde p = p`: CAGrad, with
      preferences, and with equal ones ``torchjd:CAGrad``).

    The minimum is not scaled back to the simplex: the root brings it to its length. Where that is 0
    there is nothing to add. The problem is a cone programme, which Clarabel solves, as for TorchJD,
    on the Gramian scaled to a mean diagonal of 1. The authors optimise pairwise preferences; the
    rule is the same for any gradients. Their code has the clip off by default, though it is the
    paper's change to CAGrad.

    An objective without a gradient, because the batch's rewards under it are equal, is left out of
    p (ours): by the formula it would often take all of p and switch the correction off for the
    others. Without any gradient the preference weights are returned.

    Args:
        c: At least 0.
        clip: Whether to clip the correction by the preferences.
    """

    source: ClassVar[str] = "Chen et al. 2026, arXiv 2602.02495"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        c: float = 0.4,
        clip: bool = True,
    ) -> None:
        super().__init__(objectives, weights)
        self.c = number("c", c, minimum=0.0)
        self.clip = flag("clip", clip)
        self.state["current_weights"] = self.weights.double()

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        gramian = gramian.double()  # what the solver takes
        preferred = self.weights.to(gramian)
        found = preferred
        scale = gramian.diagonal().mean()
        if scale > 0 and self.c > 0:
            found = preferred + self._correction(gramian / scale, preferred)
        self.state["current_weights"] = found
        return found.clone()

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    def _correction(self, gramian: Tensor, preferred: Tensor) -> Tensor:
        """Return what is added to the preference weights (M,)."""
        length = self.c * (preferred @ gramian @ preferred).clamp(min=0.0).sqrt()
        rows, some = square_root(gramian), gramian.diagonal() > 0
        slopes = rows @ (rows.T @ preferred)
        worst = torch.zeros_like(slopes)
        worst[some] = _worst(rows[some], slopes[some], float(length))
        clipped = torch.minimum(worst, preferred) if self.clip else worst
        root = (rows.T @ clipped).norm()
        return length / root * clipped if root > STATIONARY else torch.zeros_like(clipped)


def _worst(rows: Tensor, slopes: Tensor, length: float) -> Tensor:
    """Return the p (M,) on the simplex that minimises slopes' p + length |rows' p|.

    ``rows`` is (M, N), ``slopes`` (M,).
    """
    import clarabel
    from scipy import sparse

    count, width = rows.shape
    one = torch.ones(1, count, dtype=rows.dtype)
    constraints = torch.cat(  # of (p, t): A (p, t) + slack = target, the slack in the cones below
        [
            torch.cat([one, one[:, :1] * 0], dim=1),  # sum 1
            torch.cat([-torch.eye(count, dtype=rows.dtype), one.T * 0], dim=1),  # p >= 0
            torch.cat([one * 0, -one[:, :1]], dim=1),  # t >= |rows' p|
            torch.cat([-rows.T, rows.new_zeros(width, 1)], dim=1),
        ]
    )
    target = torch.zeros(len(constraints), dtype=rows.dtype)
    target[0] = 1.0
    cost = torch.cat([slopes, slopes.new_tensor([length])])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    for kind in ("gap_abs", "gap_rel", "feas"):
        setattr(settings, f"tol_{kind}", TOLERANCE)
        setattr(settings, f"reduced_tol_{kind}", 1e3 * TOLERANCE)
    cones = [
        clarabel.ZeroConeT(1),
        clarabel.NonnegativeConeT(count),
        clarabel.SecondOrderConeT(width + 1),
    ]
    solution = clarabel.DefaultSolver(
        sparse.csc_matrix((count + 1, count + 1)),
        cost.numpy(),
        sparse.csc_matrix(constraints.numpy()),
        target.numpy(),
        cones,
        settings,
    ).solve()
    if str(solution.status) not in ("Solved", "AlmostSolved"):
        raise CrosstalkError(f"Clarabel says {solution.status} of the gradients {rows.tolist()}")
    found = torch.tensor(solution.x[:count], dtype=rows.dtype).clamp(min=0.0)
    return found / found.sum()
