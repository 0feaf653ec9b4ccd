"""``torchjd:<Name>``: the Gramian weightings of TorchJD, under their aggregators' class names.

`TorchJD <https://torchjd.org>`_ is the library of Jacobian descent and has the solvers; a row of
:data:`METHODS` says what each needs. Left out are fixed weights (``Sum``, ``Mean``, ``Constant``:
that is ``linear``; ``Random``: ``random``), rules that need the gradients themselves (``ConFIG``,
``GradDrop``, ``TrimmedMean``, ``ExcessMTL``) or those of two batches (``MoDo``, ``SDMGrad``), and a
wrapper of others (``CRMOGM``).
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import integer, number
from benchmark.scalarizers.base import GradientScalarizer, Scalarizer
from benchmark.scalarizers.gramians import square_root

PREFIX = "torchjd:"


class Option(NamedTuple):
    """A parameter of a weighting: TorchJD's default, or its type if it has none."""

    default: Any
    meaning: str


@dataclass(frozen=True)
class Method:
    r"""A weighting of TorchJD.

    Attributes:
        weighting: The class in ``torchjd.aggregation``.
        rule: How it weighs the gradients.
        paper: Title and address.
        source: Authors, year and number, as ``crosstalk list algorithms`` shows them.
        options: TorchJD's scalar parameters, by name.
        preferences: Whether the preference weights are TorchJD's ``pref_vector``; if not, they
            play no part.
        rescaled: Whether the weighting sees the Gramian divided by the mean of its diagonal.
        remembers: The first values, for M objectives, of TorchJD's buffers that change with every
            call.
        degree: The degree of the rule in the Gramian, given the parameters.
    """

    weighting: str
    rule: str
    paper: tuple[str, str]
    source: str
    options: Mapping[str, Option] = field(default_factory=dict)
    preferences: bool = False
    rescaled: bool = True
    remembers: Callable[[int], dict[str, Tensor]] = lambda count: {}
    degree: Callable[[Mapping[str, Any]], float] = lambda parameters: 0.0


METHODS = {
    "UPGrad": Method(
        weighting="UPGradWeighting",
        rule="every gradient projected onto the cone of steps that harm no objective, then summed "
        "by the preference weights",
        paper=(
            "Jacobian Descent For Multi-Objective Optimization",
            "https://arxiv.org/abs/2406.16232",
        ),
        source="Quinton & Rey 2024, arXiv 2406.16232",
        preferences=True,
    ),
    "DualProj": Method(
        weighting="DualProjWeighting",
        rule="the sum by the preference weights, projected onto that cone (equation 11)",
        paper=(
            "Gradient Episodic Memory for Continual Learning",
            "https://arxiv.org/abs/1706.08840",
        ),
        source="Lopez-Paz & Ranzato 2017, arXiv 1706.08840",
        preferences=True,
    ),
    "PCGrad": Method(
        weighting="PCGradWeighting",
        rule="every gradient freed of its conflicts with the others, in random order",
        paper=("Gradient Surgery for Multi-Task Learning", "https://arxiv.org/abs/2001.06782"),
        source="Yu et al. 2020, arXiv 2001.06782",
    ),
    "GradVac": Method(
        weighting="GradVacWeighting",
        rule="every pair of gradients turned until it is as similar as it has been on average, in "
        "random order",
        paper=(
            "Gradient Vaccine: Investigating and Improving Multi-task Optimization in Massively "
            "Multilingual Models",
            "https://arxiv.org/abs/2010.05874",
        ),
        source="Wang et al. 2021, arXiv 2010.05874",
        options={
            "beta": Option(0.5, "share of the newest similarity in the average"),
            "eps": Option(1e-8, "added to denominators"),
        },
        remembers=lambda count: {"_phi_t": torch.zeros(count, count, dtype=torch.float64)},
    ),
    "CAGrad": Method(
        weighting="CAGradWeighting",
        rule="the step near the mean gradient that is best for the objective it is worst for",
        paper=(
            "Conflict-Averse Gradient Descent for Multi-task Learning",
            "https://arxiv.org/abs/2110.14048",
        ),
        source="Liu et al. 2021, arXiv 2110.14048",
        options={
            "c": Option(float, "how far from the mean, in its lengths; below 1 the mean descends"),
            "norm_eps": Option(
                1e-4, "below which length, in units of the gradients', a step is none"
            ),
        },
    ),
    "IMTLG": Method(
        weighting="IMTLGWeighting",
        rule="the combination with equal projections onto all unit gradients; weights sum to 1 and "
        "may be negative",
        paper=(
            "Towards Impartial Multi-task Learning",
            "https://openreview.net/forum?id=IMPnRXEWpvr",
        ),
        source="Liu et al. 2021, openreview IMPnRXEWpvr",
    ),
    "AlignedMTL": Method(
        weighting="AlignedMTLWeighting",
        rule="the sum by the preference weights of gradients made orthogonal and of one length",
        paper=(
            "Independent Component Alignment for Multi-Task Learning",
            "https://arxiv.org/abs/2305.19000",
        ),
        source="Senushkin et al. 2023, arXiv 2305.19000",
        options={
            "scale_mode": Option(
                "min", "that length, by the singular values' `min`, `median` or `rmse`"
            )
        },
        preferences=True,
    ),
    "FairGrad": Method(
        weighting="FairGradWeighting",
        rule=r"alpha-fair gains: $\mathcal G w = w^{-1/\alpha}$, entry by entry; an objective "
        "without a gradient has the weight at which the solver stops, and moves nothing",
        paper=(
            "Fair Resource Allocation in Multi-Task Learning",
            "https://arxiv.org/abs/2402.15638",
        ),
        source="Ban & Ji 2024, arXiv 2402.15638",
        options={
            "alpha": Option(
                float, r"$\alpha$, 0 for the sum of the gains, 1 for their product (`nash_mtl`)"
            ),
            "max_iters": Option(None, "of SciPy's `least_squares`; its own default if none"),
        },
        degree=lambda parameters: -parameters["alpha"] / (1 + parameters["alpha"]),
    ),
    "MGDA": Method(
        weighting="MGDAWeighting",
        rule="the shortest convex combination, as `mgda`, by Frank-Wolfe",
        paper=(
            "Multi-Task Learning as Multi-Objective Optimization",
            "https://arxiv.org/abs/1810.04650",
        ),
        source="Sener & Koltun 2018, arXiv 1810.04650",
        options={
            "epsilon": Option(1e-3, "step at which the solver stops"),
            "max_iters": Option(100, "most steps"),
        },
    ),
    "NashMTL": Method(
        weighting="NashMTL",
        rule=r"the bargaining solution, as `nash_mtl`, by the paper's convex programmes, which "
        r"start from the last batch's weights and may end before $\mathcal G w = 1 / w$ holds",
        paper=("Multi-Task Learning as a Bargaining Game", "https://arxiv.org/abs/2202.01017"),
        source="Navon et al. 2022, arXiv 2202.01017",
        options={
            "max_norm": Option(1.0, "greatest length of the step; 0 for no limit"),
            "optim_niter": Option(20, "most programmes per batch"),
        },
        degree=lambda parameters: -0.5,
    ),
    "PCD": Method(
        weighting="PCDWeighting",
        rule="the first objective's gradient, turned until each other objective makes some "
        "progress; without it all weights are 0",
        paper=(
            "Not All Objectives Are Born Equal: Priority-Constrained Descent for Hierarchical "
            "Multi-Objective Optimization",
            "https://arxiv.org/abs/2606.29521",
        ),
        source="TMLR 2026, arXiv 2606.29521",
        options={
            "tau": Option(0.02, "that progress, as a share of what its own gradient would bring"),
            "beta": Option(0.999, "share of the past in the average of squared norms, below 1"),
            "eps": Option(1e-8, "added to that average, so of its scale"),
        },
        rescaled=False,
        remembers=lambda count: {
            "_sq_norm_ema": torch.zeros(count, dtype=torch.float64),
            "_n_steps": torch.tensor(0),
        },
    ),
    "Krum": Method(
        weighting="KrumWeighting",
        rule="the gradients nearest to their neighbours, and no others",
        paper=(
            "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent",
            "https://proceedings.neurips.cc/paper/2017/file/"
            "f4b9ec30ad9f68f89b29639786cb62ef-Paper.pdf",
        ),
        source="Blanchard et al. 2017, NeurIPS 30",
        options={
            "n_byzantine": Option(
                int, "how many may be adversarial, with at least that many + 3 objectives"
            ),
            "n_selected": Option(1, "how many are taken"),
        },
    ),
}


class TorchJD(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by a weighting of TorchJD.

    Some solvers take gradients below a fixed length for none. The weighting therefore sees the
    Gramian :math:`\mathcal{G}` (``gramian``) at a mean diagonal of 1:

    .. math::
        w = s^d\, w(\mathcal{G} / s)

    where:

    - :math:`s` is the mean of the diagonal, or 1 (``method.rescaled``);
    - :math:`d` is the degree of the rule in the Gramian (``method.degree``).

    In double precision, on the CPU. A weighting that draws random numbers draws them from a stream
    of its own, that of the number of batches seen (``state["batches"]``): all processes draw the
    same, a resumed run goes on as it would have, and torch's global stream is left as it was. What
    a weighting remembers between batches is in ``state`` under TorchJD's name for it. Where no
    objective has a gradient, the preference weights are returned and nothing is remembered.

    Args:
        parameters: TorchJD's own; numbers have to be finite and at least 0. TorchJD is loaded to
            check them if there are any, and otherwise for the first batch.

    Raises:
        CrosstalkError: TorchJD refuses a parameter or fails on a batch.
    """

    method: ClassVar[Method]

    def __init__(
        self, objectives: Sequence[str], weights: Sequence[float] | None = None, **parameters: Any
    ) -> None:
        super().__init__(objectives, weights)
        bound = inspect.signature(type(self)).bind(objectives, weights, **parameters)
        bound.apply_defaults()
        self.parameters = {
            name: _checked(name, bound.arguments[name], option.default)
            for name, option in self.method.options.items()
        }
        self.degree = self.method.degree(self.parameters)
        self.state["batches"] = torch.tensor(0)
        self.state["current_weights"] = self.weights.double()
        self.state |= self.method.remembers(len(self.objectives))
        if parameters:
            self._load(parameters)

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        mean = gramian.diagonal().mean()
        weights = self.weights.to(gramian)
        if mean > 0:
            scale = mean if self.method.rescaled else torch.ones_like(mean)
            weights = self._of(gramian / scale) * scale**self.degree
        self.state["current_weights"] = weights
        return weights.clone()

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])

    @cached_property
    def solver(self) -> Any:
        """TorchJD's object, with its buffers in place if it has any."""
        import torchjd.aggregation  # loads cvxpy: not before it is needed

        solver = vars(torchjd.aggregation)[self.method.weighting](**self.arguments())
        self.try_out(solver)
        return solver

    def arguments(self) -> dict[str, Any]:
        """Return what TorchJD's class is made with."""
        preferences = {"pref_vector": self.weights.double()} if self.method.preferences else {}
        return preferences | self.parameters

    def try_out(self, solver: Any) -> None:
        """Call TorchJD once: it makes its buffers then, and checks some parameters only then."""
        solver(torch.eye(len(self.objectives), dtype=torch.float64))

    def solve(self, solver: Any, gramian: Tensor) -> Tensor:
        """Return TorchJD's weights (M,), going on from the state and leaving it there."""
        names = self.method.remembers(len(self.objectives))
        solver.load_state_dict({name: self.state[name] for name in names})
        weights = solver(gramian)
        after = solver.state_dict()
        self.state |= {name: after[name].clone() for name in names}
        return weights

    def _load(self, given: Mapping[str, Any]) -> None:
        try:
            with torch.random.fork_rng(devices=[]):
                _ = self.solver
        except Exception as error:  # whatever TorchJD does with what it does not take
            raise CrosstalkError(
                f"TorchJD refuses {dict(given)}: {type(error).__name__}: {error}"
            ) from error

    def _of(self, gramian: Tensor) -> Tensor:
        """Return the weights (M,) with the global random stream as it was."""
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


class _NashMTL(TorchJD):
    """NashMTL takes gradients, not a Gramian, and keeps its last weights outside its buffers."""

    def __init__(
        self, objectives: Sequence[str], weights: Sequence[float] | None = None, **parameters: Any
    ) -> None:
        super().__init__(objectives, weights, **parameters)
        self.state["previous"] = torch.ones(len(self.objectives), dtype=torch.float64)

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"n_tasks": len(self.objectives)}

    def try_out(self, solver: Any) -> None:
        """Do nothing: the parameters were checked when it was made."""

    def solve(self, solver: Any, gramian: Tensor) -> Tensor:
        if len(gramian) == 1:  # of one objective alone the weight is 1
            return torch.ones_like(gramian[0])
        bargain = solver.weighting
        bargain.prvs_alpha = self.state["previous"].numpy().copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # divisions by 0 on the way, one line each
            weights = bargain(square_root(gramian))
        self.state["previous"] = torch.from_numpy(bargain.prvs_alpha.copy())
        return weights


def _checked(name: str, value: object, default: object) -> Any:
    """Return a parameter, which has to be of its default's kind; TorchJD checks the rest."""
    kind = default if isinstance(default, type) else type(default)
    if kind is float:
        return number(name, value, minimum=0.0)
    return integer(name, value, minimum=0) if kind is int else value


def _class(name: str, method: Method) -> type[TorchJD]:
    """Return the scalarizer of a row, with the row's parameters in its signature."""
    own = [
        Parameter(
            key,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if isinstance(option.default, type) else option.default,
        )
        for key, option in method.options.items()
    ]
    common = list(inspect.signature(Scalarizer).parameters.values())
    title, address = method.paper
    return type(
        name,
        (_NashMTL if name == "NashMTL" else TorchJD,),
        {
            "__doc__": f"{method.rule[0].upper()}{method.rule[1:]}.\n\n`{title} <{address}>`_.",
            "__module__": __name__,
            "__signature__": inspect.Signature([*common, *own]),
            "method": method,
            "source": method.source,
        },
    )


TORCHJD = {f"{PREFIX}{name}": _class(name, method) for name, method in METHODS.items()}
