"""``torchjd:<Name>``: the Gramian weightings of TorchJD, under their aggregators' class names.

`TorchJD <https://torchjd.org>`_ is the library of Jacobian descent, of which the solvers are; the
parameters here are TorchJD's own scalar ones, with its defaults. What is left out has no use for a
Gramian of one batch: fixed weights (``Sum``, ``Mean``, ``Constant``: that is ``linear``;
``Random``: ``random``), rules that need the gradients themselves (``ConFIG``, ``GradDrop``,
``TrimmedMean``, ``ExcessMTL``) or two batches' (``MoDo``, ``SDMGrad``), and a wrapper of others
(``CRMOGM``).
"""

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.gramians import square_root
from benchmark.scalarizers.parameters import integer, number

PREFIX = "torchjd:"
SCALE_MODES = ("min", "median", "rmse")


class TorchJD(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by a weighting of TorchJD.

    Some solvers take gradients below a fixed length for none. The weighting therefore sees
    :math:`\mathcal{G} / s`, s being the mean of the diagonal, and its weights are brought back to
    what the rule has for :math:`\mathcal{G}`: :math:`w = s^d\, w(\mathcal{G} / s)`, with d the
    degree of the rule in the Gramian (0 unless its class says otherwise). In double precision, on
    the CPU.

    A weighting that draws random numbers draws them from a stream of its own: that of the number
    of batches seen (``state["batches"]``), so that all processes draw the same, a resumed run goes
    on as it would have, and torch's global stream is left as it was. What a weighting remembers
    between batches is in ``state`` under TorchJD's name for it.

    Where no objective has a gradient no rule says anything: the preference weights are returned
    and nothing is remembered.

    Attributes:
        weighting: The class in ``torchjd.aggregation``.
        preferences: Whether the preference weights are TorchJD's ``pref_vector``; otherwise they
            play no part.
        rescaled: Whether s is the mean of the diagonal, or 1.
        remembers: TorchJD's buffers that change from call to call.
        parameters: What TorchJD's class is made with.
        degree: d.
    """

    weighting: ClassVar[str]
    preferences: ClassVar[bool] = False
    rescaled: ClassVar[bool] = True
    remembers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        super().__init__(objectives, weights)
        self.parameters: dict[str, Any] = {}
        if self.preferences:
            self.parameters["pref_vector"] = self.weights.double()
        self.degree = 0.0
        self.state["batches"] = torch.tensor(0)
        self.state["current_weights"] = self.weights.double()

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        mean = gramian.diagonal().mean()
        weights = self.weights.to(gramian)
        if mean > 0:
            scale = mean if self.rescaled else torch.ones_like(mean)
            weights = self._of(gramian / scale) * scale**self.degree
        self.state["current_weights"] = weights
        return weights.clone()

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    @cached_property
    def solver(self) -> Any:
        """TorchJD's object, with its buffers in place if it has any."""
        import torchjd.aggregation  # loads cvxpy: not before it is needed

        solver = vars(torchjd.aggregation)[self.weighting](**self.parameters)
        if self.remembers:
            solver(torch.eye(len(self.objectives), dtype=torch.float64))
        return solver

    def solve(self, solver: Any, gramian: Tensor) -> Tensor:
        """Return TorchJD's weights (M,), going on from the state and leaving it there."""
        solver.load_state_dict({name: self.state[name] for name in self.remembers})
        weights = solver(gramian)
        after = solver.state_dict()
        self.state |= {name: after[name].clone() for name in self.remembers}
        return weights

    def _of(self, gramian: Tensor) -> Tensor:
        """Return the weights (M,) with the global random stream as it was.

        Raises:
            CrosstalkError: TorchJD's solver fails, or returns what is no number.
        """
        try:
            with torch.random.fork_rng(devices=[]):
                solver = self.solver  # may draw when it is made, so before the seed
                torch.default_generator.manual_seed(int(self.state["batches"]))  # the CPU's alone
                weights = self.solve(solver, gramian)
        except Exception as error:  # whatever a solver does with what it cannot solve
            raise self._failed(f"{type(error).__name__}: {error}", gramian) from error
        if not weights.isfinite().all():
            raise self._failed(f"weights {weights.tolist()}", gramian)
        self.state["batches"] = self.state["batches"] + 1
        return weights

    def _failed(self, what: str, gramian: Tensor) -> CrosstalkError:
        return CrosstalkError(
            f"TorchJD's {type(self).__name__} failed with {what} on the Gramian {gramian.tolist()}"
        )


class UPGrad(TorchJD):
    """The sum of the gradients, each projected onto the cone of steps that no objective minds.

    `Jacobian Descent for Multi-Objective Optimization <https://arxiv.org/abs/2406.16232>`_. The
    sum is weighted by the preference weights.
    """

    weighting = "UPGradWeighting"
    preferences = True
    source: ClassVar[str] = "Quinton & Rey 2024, arXiv 2406.16232"


class DualProj(TorchJD):
    """The weighted sum of the gradients, projected onto the cone of steps that no objective minds.

    `Gradient Episodic Memory for Continual Learning <https://arxiv.org/abs/1706.08840>`_, equation
    11. The sum is weighted by the preference weights.
    """

    weighting = "DualProjWeighting"
    preferences = True
    source: ClassVar[str] = "Lopez-Paz & Ranzato 2017, arXiv 1706.08840"


class PCGrad(TorchJD):
    """The sum of the gradients, each freed of its conflicts with the others in random order.

    `Gradient Surgery for Multi-Task Learning <https://arxiv.org/abs/2001.06782>`_.
    """

    weighting = "PCGradWeighting"
    source: ClassVar[str] = "Yu et al. 2020, arXiv 2001.06782"


class GradVac(TorchJD):
    """The sum of the gradients, each turned until it is as similar to the others as it was before.

    `Gradient Vaccine: Investigating and Improving Multi-task Optimization in Massively Multilingual
    Models <https://arxiv.org/abs/2010.05874>`_. The similarities aimed at are moving averages, and
    the others come in random order.

    Args:
        beta: The share of the newest similarity in the average, from 0 to 1.
        eps: Added to denominators, at least 0.
    """

    weighting = "GradVacWeighting"
    remembers = ("_phi_t",)
    source: ClassVar[str] = "Wang et al. 2021, arXiv 2010.05874"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        beta: float = 0.5,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(objectives, weights)
        self.parameters["beta"] = number("beta", beta, minimum=0.0, maximum=1.0)
        self.parameters["eps"] = number("eps", eps, minimum=0.0)
        count = len(self.objectives)
        self.state["_phi_t"] = torch.zeros(count, count, dtype=torch.float64)


class CAGrad(TorchJD):
    """The step near the mean gradient that is best for the objective it is worst for.

    `Conflict-Averse Gradient Descent for Multi-task Learning <https://arxiv.org/abs/2110.14048>`_.

    Args:
        c: How far from the mean gradient, in its lengths; at least 0, and below 1 for a descent of
            the mean.
        norm_eps: Below which length, in units of the gradients', a step is none; at least 0.
    """

    weighting = "CAGradWeighting"
    source: ClassVar[str] = "Liu et al. 2021, arXiv 2110.14048"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        c: float,
        norm_eps: float = 1e-4,
    ) -> None:
        super().__init__(objectives, weights)
        self.parameters["c"] = number("c", c, minimum=0.0)
        self.parameters["norm_eps"] = number("norm_eps", norm_eps, minimum=0.0)


class IMTLG(TorchJD):
    """The combination of the gradients whose projections onto each of them are equal.

    `Towards Impartial Multi-task Learning <https://openreview.net/forum?id=IMPnRXEWpvr>`_, IMTL-G.
    Weights sum to 1 and may be negative.
    """

    weighting = "IMTLGWeighting"
    source: ClassVar[str] = "Liu et al. 2021, openreview IMPnRXEWpvr"


class AlignedMTL(TorchJD):
    """The weighted sum of the gradients, made orthogonal and of one length.

    `Independent Component Alignment for Multi-Task Learning <https://arxiv.org/abs/2305.19000>`_.
    The sum is weighted by the preference weights.

    Args:
        scale_mode: That length: by the smallest singular value (``"min"``), the median one
            (``"median"``) or the root of the mean square (``"rmse"``).
    """

    weighting = "AlignedMTLWeighting"
    preferences = True
    source: ClassVar[str] = "Senushkin et al. 2023, arXiv 2305.19000"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        scale_mode: str = "min",
    ) -> None:
        super().__init__(objectives, weights)
        if scale_mode not in SCALE_MODES:
            raise unknown("scale_mode", scale_mode, SCALE_MODES, "scale_mode")
        self.parameters["scale_mode"] = scale_mode


class FairGrad(TorchJD):
    r"""The step with alpha-fair gains: :math:`\mathcal{G} w = w^{-1/\alpha}`, entry by entry.

    `Fair Resource Allocation in Multi-Task Learning <https://arxiv.org/abs/2402.15638>`_. The rule
    is of degree :math:`-\alpha / (1 + \alpha)`; for alpha 1 it is that of ``nash_mtl``. An
    objective without a gradient has no solution: its weight is where the solver stops, and moves
    nothing.

    Args:
        alpha: At least 0: 0 for the sum of the gains, 1 for their product, at infinity the
            smallest gain.
        max_iters: Of SciPy's ``least_squares``; its default of 100 M if None.
    """

    weighting = "FairGradWeighting"
    source: ClassVar[str] = "Ban & Ji 2024, arXiv 2402.15638"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        alpha: float,
        max_iters: int | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        self.parameters["alpha"] = alpha = number("alpha", alpha, minimum=0.0)
        if max_iters is not None:
            self.parameters["max_iters"] = integer("max_iters", max_iters, minimum=1)
        self.degree = -alpha / (1 + alpha)


class MGDA(TorchJD):
    """The shortest convex combination of the gradients, by Frank-Wolfe; ``mgda`` solves it exactly.

    `Multi-Task Learning as Multi-Objective Optimization <https://arxiv.org/abs/1810.04650>`_.

    Args:
        epsilon: The step at which the solver stops, above 0.
        max_iters: At least 1.
    """

    weighting = "MGDAWeighting"
    source: ClassVar[str] = "Sener & Koltun 2018, arXiv 1810.04650"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        epsilon: float = 1e-3,
        max_iters: int = 100,
    ) -> None:
        super().__init__(objectives, weights)
        self.parameters["epsilon"] = number("epsilon", epsilon, minimum=1e-15)
        self.parameters["max_iters"] = integer("max_iters", max_iters, minimum=1)


class NashMTL(TorchJD):
    r"""The Nash bargaining solution by the paper's solver; ``nash_mtl`` solves it exactly.

    `Multi-Task Learning as a Bargaining Game <https://arxiv.org/abs/2202.01017>`_. A sequence of
    convex programmes starts from the last batch's weights (``state["previous"]``) and may end
    before :math:`\mathcal{G} w = 1 / w` holds. Of degree -1/2. One objective alone has weight 1.

    Args:
        max_norm: The greatest length of the step; 0 for no limit.
        optim_niter: The most programmes a batch, at least 1.
    """

    weighting = "NashMTL"
    source: ClassVar[str] = "Navon et al. 2022, arXiv 2202.01017"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        max_norm: float = 1.0,
        optim_niter: int = 20,
    ) -> None:
        super().__init__(objectives, weights)
        count = len(self.objectives)
        self.parameters["n_tasks"] = count
        self.parameters["max_norm"] = number("max_norm", max_norm, minimum=0.0)
        self.parameters["optim_niter"] = integer("optim_niter", optim_niter, minimum=1)
        self.degree = -0.5
        self.state["previous"] = torch.ones(count, dtype=torch.float64)

    def solve(self, solver: Any, gramian: Tensor) -> Tensor:
        if len(gramian) == 1:
            return torch.ones_like(gramian[0])
        bargain = solver.weighting
        bargain.prvs_alpha = self.state["previous"].numpy().copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # divisions by 0 on the way, one line each
            weights = bargain(square_root(gramian))
        self.state["previous"] = torch.from_numpy(bargain.prvs_alpha.copy())
        return weights


class PCD(TorchJD):
    """The first objective's gradient, turned so far that each other objective makes some progress.

    `Not All Objectives Are Born Equal: Priority-Constrained Descent for Hierarchical
    Multi-Objective Optimization <https://arxiv.org/abs/2606.29521>`_. It follows a moving average
    of the gradients' squared norms, and so sees the Gramian as it is: ``eps`` has the scale of the
    squared norms. Without a gradient of the first objective all weights are 0.

    Args:
        tau: The progress of each other objective, as a share of what its own gradient would bring;
            from 0 to 1.
        beta: The share of the past in the average, from 0 to below 1.
        eps: Added to the average, at least 0.
    """

    weighting = "PCDWeighting"
    rescaled = False
    remembers = ("_sq_norm_ema", "_n_steps")
    source: ClassVar[str] = "TMLR 2026, arXiv 2606.29521"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        tau: float = 0.02,
        beta: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(objectives, weights)
        self.parameters["tau"] = number("tau", tau, minimum=0.0, maximum=1.0)
        self.parameters["beta"] = number("beta", beta, minimum=0.0, maximum=1 - 1e-12)
        self.parameters["eps"] = number("eps", eps, minimum=0.0)
        self.state["_sq_norm_ema"] = torch.zeros(len(self.objectives), dtype=torch.float64)
        self.state["_n_steps"] = torch.tensor(0)


class Krum(TorchJD):
    """The gradients nearest to their neighbours, and no others.

    `Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent
    <https://proceedings.neurips.cc/paper/2017/file/f4b9ec30ad9f68f89b29639786cb62ef-Paper.pdf>`_.
    It wants at least ``n_byzantine`` + 3 objectives.

    Args:
        n_byzantine: How many gradients may be adversarial, at least 0.
        n_selected: How many are taken, at least 1 and at most as many as there are.
    """

    weighting = "KrumWeighting"
    source: ClassVar[str] = "Blanchard et al. 2017, NeurIPS 30"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        n_byzantine: int,
        n_selected: int = 1,
    ) -> None:
        super().__init__(objectives, weights)
        count = len(self.objectives)
        least = integer("n_byzantine", n_byzantine, minimum=0) + 3
        if count < least:
            raise CrosstalkError(
                f"n_byzantine: {n_byzantine} wants at least {least} objectives, found {count}"
            )
        if integer("n_selected", n_selected, minimum=1) > count:
            raise CrosstalkError(
                f"n_selected: {n_selected} should be at most {count}, the number of objectives"
            )
        self.parameters |= {"n_byzantine": n_byzantine, "n_selected": n_selected}


TORCHJD: dict[str, type[TorchJD]] = {
    "torchjd:UPGrad": UPGrad,
    "torchjd:DualProj": DualProj,
    "torchjd:PCGrad": PCGrad,
    "torchjd:GradVac": GradVac,
    "torchjd:CAGrad": CAGrad,
    "torchjd:IMTLG": IMTLG,
    "torchjd:AlignedMTL": AlignedMTL,
    "torchjd:FairGrad": FairGrad,
    "torchjd:MGDA": MGDA,
    "torchjd:NashMTL": NashMTL,
    "torchjd:PCD": PCD,
    "torchjd:Krum": Krum,
}
