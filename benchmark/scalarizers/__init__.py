"""The scalarizers, one method a file, listed here in one dict.

Three ways to name one, in a study file or in :func:`make_scalarizer`: a key of :data:`SCALARIZERS`;
an entry point in the group ``crosstalk.scalarizers`` of an installed distribution; or
``module:Class``, looked for in the current directory as well.

    >>> scalarizer = make_scalarizer("linear", ["accuracy", "clarity"], [3, 1])
    >>> scalarizer.weights
    tensor([0.7500, 0.2500])
"""

import inspect
from collections.abc import Sequence
from typing import Any

from benchmark.common.errors import CrosstalkError, blaming, check_parameter_names, unknown
from benchmark.scalarizers.base import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    Signal,
)
from benchmark.scalarizers.cagrad_clip import CAGradClip
from benchmark.scalarizers.corr_grpo import CorrGRPO
from benchmark.scalarizers.cosmos import COSMOS
from benchmark.scalarizers.ctwa import CTWA
from benchmark.scalarizers.dvao import DVAO
from benchmark.scalarizers.dwa import DWA
from benchmark.scalarizers.dynamic import Dynamic
from benchmark.scalarizers.famo import FAMO
from benchmark.scalarizers.foresight import Foresight
from benchmark.scalarizers.gd2po import GD2PO
from benchmark.scalarizers.gdpo import GDPO
from benchmark.scalarizers.geometric_mean import GeometricMean
from benchmark.scalarizers.gradnorm import GradNorm
from benchmark.scalarizers.hypervolume import Hypervolume
from benchmark.scalarizers.lagrangian import Lagrangian
from benchmark.scalarizers.linear import Linear
from benchmark.scalarizers.max_min_covariance import MaxMinCovariance
from benchmark.scalarizers.maxmin import MaxMin
from benchmark.scalarizers.mgda import MGDA
from benchmark.scalarizers.mo_grpo import MOGRPO
from benchmark.scalarizers.nash_mtl import NashMTL
from benchmark.scalarizers.nsga_rank import NSGARank
from benchmark.scalarizers.pama import PAMA
from benchmark.scalarizers.pbi import PBI
from benchmark.scalarizers.plugins import PLUGINS
from benchmark.scalarizers.random import Random
from benchmark.scalarizers.rvpo import RVPO
from benchmark.scalarizers.sa_mrpo import SAMRPO
from benchmark.scalarizers.single import Single
from benchmark.scalarizers.smooth_tchebycheff import SmoothTchebycheff
from benchmark.scalarizers.smoothed import Smoothed
from benchmark.scalarizers.stch import STCH
from benchmark.scalarizers.tchebycheff import Tchebycheff
from benchmark.scalarizers.tchebycheff_mean import TchebycheffMean
from benchmark.scalarizers.torchjd import PREFIX, TORCHJD
from benchmark.scalarizers.weighted import Weighted

__all__ = [
    "COSMOS",
    "CTWA",
    "DVAO",
    "DWA",
    "FAMO",
    "GD2PO",
    "GDPO",
    "MGDA",
    "MOGRPO",
    "PAMA",
    "PBI",
    "RVPO",
    "SAMRPO",
    "SCALARIZERS",
    "STCH",
    "AdvantageScalarizer",
    "CAGradClip",
    "CorrGRPO",
    "Dynamic",
    "Feedback",
    "Foresight",
    "GeometricMean",
    "GradNorm",
    "GradientScalarizer",
    "Hypervolume",
    "Lagrangian",
    "Linear",
    "MaxMin",
    "MaxMinCovariance",
    "NSGARank",
    "NashMTL",
    "Random",
    "Scalarizer",
    "ScoreScalarizer",
    "Signal",
    "Single",
    "SmoothTchebycheff",
    "Smoothed",
    "Tchebycheff",
    "TchebycheffMean",
    "Weighted",
    "make_scalarizer",
    "scalarizer_class",
]

SCALARIZERS: dict[str, type[Scalarizer]] = {
    "linear": Linear,
    "weighted": Weighted,
    "single": Single,
    "tchebycheff": Tchebycheff,
    "tchebycheff_mean": TchebycheffMean,
    "smooth_tchebycheff": SmoothTchebycheff,
    "stch": STCH,
    "lagrangian": Lagrangian,
    "hypervolume": Hypervolume,
    "pama": PAMA,
    "gdpo": GDPO,
    "mo_grpo": MOGRPO,
    "rvpo": RVPO,
    "dvao": DVAO,
    "gd2po": GD2PO,
    "sa_mrpo": SAMRPO,
    "corr_grpo": CorrGRPO,
    "nsga_rank": NSGARank,
    "maxmin": MaxMin,
    "random": Random,
    "max_min_covariance": MaxMinCovariance,
    "foresight": Foresight,
    "ctwa": CTWA,
    "cover": CTWA,
    "famo": FAMO,
    "geometric_mean": GeometricMean,
    "dwa": DWA,
    "pbi": PBI,
    "cosmos": COSMOS,
    "mgda": MGDA,
    "nash_mtl": NashMTL,
    "gradnorm": GradNorm,
    "dynamic": Dynamic,
    "cagrad_clip": CAGradClip,
    "raco": CAGradClip,
    "smoothed": Smoothed,
    **TORCHJD,
}


def make_scalarizer(
    name: str,
    objectives: Sequence[str],
    weights: Sequence[float] | None = None,
    *,
    update_every: str | None = None,
    **params: Any,
) -> Scalarizer:
    """Return the scalarizer of that name.

    Args:
        name: See the module's docstring.
        objectives: The objectives' names, in the order of the rewards' columns.
        weights: One preference per objective, normalised to sum 1; equal if None.
        update_every: What it updates after, ``"rollout"`` or ``"step"``; the method's own if None.
        params: The method's own parameters, by the names in its constructor.

    Raises:
        CrosstalkError: The method or a parameter does not exist, a parameter is missing, or a value
            is refused.
    """
    cls = scalarizer_class(name)
    own = list(inspect.signature(cls).parameters.values())[2:]  # after objectives and weights
    check_parameter_names(own, params, f"algorithm {name!r}")
    try:
        with blaming(f"algorithm {name!r}", but=(TypeError, ValueError)):
            made = cls(objectives, weights, **params)
        if update_every is not None:
            made.update_every = update_every
        made.check_update_every()
        return made
    except CrosstalkError as error:
        raise CrosstalkError(f"algorithm {name!r}: {error}") from error
    except (TypeError, ValueError) as error:
        raise CrosstalkError(
            f"algorithm {name!r} refused its parameters {params!r}: {error}"
        ) from error


def scalarizer_class(name: str) -> type[Scalarizer]:
    """Return the class that a name stands for; see the module's docstring.

    Raises:
        CrosstalkError: The name is unknown, cannot be imported, or is not a scalarizer.
    """
    if name in SCALARIZERS:
        return SCALARIZERS[name]
    plugins = PLUGINS.names()
    if name in plugins:
        return PLUGINS.entry_point(name)
    if name.startswith(PREFIX):
        raise unknown("algorithm", name, TORCHJD)
    if ":" in name:
        return PLUGINS.of_module(name)
    raise unknown("algorithm", name, SCALARIZERS.keys() | plugins)
