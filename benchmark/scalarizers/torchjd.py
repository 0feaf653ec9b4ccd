"""``torchjd:<Name>``: the Gramian weightings of TorchJD, under their aggregators' class names.

`TorchJD <https://torchjd.org>`_ is the library of Jacobian descent and has the solvers; a row of
:data:`~benchmark.scalarizers.torchjd_methods.METHODS` says what each needs, one of
:data:`~benchmark.scalarizers.torchjd_papers.PAPERS` what it does and where it comes from.
"""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from inspect import Parameter
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import integer, number
from benchmark.scalarizers.base import GradientScalarizer, Scalarizer
from benchmark.scalarizers.gramians import square_root
from benchmark.scalarizers.torchjd_methods import METHODS, Method
from benchmark.scalarizers.torchjd_papers import PAPERS

PREFIX = "torchjd:"


class TorchJD(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by a weighting of TorchJD.

    Some solvers take gradients below a fixed length for none. The weighting therefore sees the
    Gramian :math:`\mathcal{G}` (``gramian``) at a mean diagonal of 1:

    .. math::
        w = s^d\, w(\mathcal{G} / s)

    where:

    - :math:`s` is the mean magnitude of the diagonal, or 1 (``method.rescaled``);
    - :math:`d` is the degree of the rule in the Gramian (``method.degree``).

    In double precision, whatever it is given, on the CPU. A weighting that draws random numbers
    draws them from a stream of its own, that of the number of batches seen (``state["batches"]``):
    all processes draw the same, a resumed run goes on as it would have, and torch's global stream
    is left as it was. What a weighting remembers between batches is in ``state`` under TorchJD's
    name for it. Where no objective has a gradient, the preference weights are returned and nothing
    is remembered, unless the weighting compares two batches (``halves``).

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
            name: _checked(name, bound.arguments[name], default)
            for name, default in self.method.options.items()
        }
        self.degree = self.method.degree(self.parameters)
        self.state["batches"] = torch.tensor(0)
        self.state["current_weights"] = self.weights.double()
        self.state |= self.method.remembers(len(self.objectives))
        if parameters:
            self._load(parameters)

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        gramian = gramian.double()  # TorchJD adds it to the preferences, and few solvers take less
        mean = gramian.diagonal().abs().mean()  # of two batches' products some may be negative
        weights = self.weights.to(gramian)
        if self.halves or mean > 0:
            scale = mean if self.method.rescaled and mean > 0 else torch.ones_like(mean)
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
            default=Parameter.empty if isinstance(default, type) else default,
        )
        for key, default in method.options.items()
    ]
    paper = PAPERS[name]
    rule = paper.rule[0].upper() + paper.rule[1:]
    common = list(inspect.signature(Scalarizer).parameters.values())
    return type(
        name,
        (_NashMTL if name == "NashMTL" else TorchJD,),
        {
            "__doc__": f"{rule}.\n\n`{paper.title} <{paper.url}>`_.",
            "__module__": __name__,
            "__signature__": inspect.Signature([*common, *own]),
            "method": method,
            "halves": method.halves,
            "source": method.source,
        },
    )


TORCHJD = {f"{PREFIX}{name}": _class(name, method) for name, method in METHODS.items()}
