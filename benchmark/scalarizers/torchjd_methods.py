"""The weightings of TorchJD that ``torchjd:<Name>`` stands for: a table of what each needs.

Left out are fixed weights (``Sum``, ``Mean``, ``Constant``: that is ``linear``; ``Random``:
``random``), rules that need the gradients themselves (``ConFIG``, ``GradDrop``, ``TrimmedMean``,
``ExcessMTL``), and a wrapper of others (``CRMOGM``: that is ``smoothed``). ``torchjd_papers`` has
the rules in words and the papers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Method:
    """A weighting of TorchJD.

    Attributes:
        weighting: The class in ``torchjd.aggregation``.
        source: Authors, year and number, as ``crosstalk list algorithms`` shows them.
        options: TorchJD's scalar parameters with its defaults; with their type if there is none.
        preferences: Whether the preference weights are TorchJD's ``pref_vector``; if not, they
            play no part.
        rescaled: Whether the weighting sees the Gramian divided by the mean magnitude of its
            diagonal.
        remembers: The first values, for M objectives, of TorchJD's buffers that change with every
            call.
        degree: The degree of the rule in the Gramian, given the parameters.
        halves: Whether it compares two batches; see
            :class:`~benchmark.scalarizers.base.GradientScalarizer`.
    """

    weighting: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    preferences: bool = False
    rescaled: bool = True
    remembers: Callable[[int], dict[str, Tensor]] = lambda count: {}
    degree: Callable[[Mapping[str, Any]], float] = lambda parameters: 0.0
    halves: bool = False


def _equal(count: int) -> Tensor:
    return torch.full((count,), 1 / count, dtype=torch.float64)


METHODS = {
    "UPGrad": Method("UPGradWeighting", "Quinton & Rey 2024, arXiv 2406.16232", preferences=True),
    "DualProj": Method(
        "DualProjWeighting", "Lopez-Paz & Ranzato 2017, arXiv 1706.08840", preferences=True
    ),
    "PCGrad": Method("PCGradWeighting", "Yu et al. 2020, arXiv 2001.06782"),
    "GradVac": Method(
        "GradVacWeighting",
        "Wang et al. 2021, arXiv 2010.05874",
        {"beta": 0.5, "eps": 1e-8},
        remembers=lambda count: {"_phi_t": torch.zeros(count, count, dtype=torch.float64)},
    ),
    "CAGrad": Method(
        "CAGradWeighting", "Liu et al. 2021, arXiv 2110.14048", {"c": float, "norm_eps": 1e-4}
    ),
    "IMTLG": Method("IMTLGWeighting", "Liu et al. 2021, openreview IMPnRXEWpvr"),
    "AlignedMTL": Method(
        "AlignedMTLWeighting",
        "Senushkin et al. 2023, arXiv 2305.19000",
        {"scale_mode": "min"},
        preferences=True,
    ),
    "FairGrad": Method(
        "FairGradWeighting",
        "Ban & Ji 2024, arXiv 2402.15638",
        {"alpha": float, "max_iters": None},
        degree=lambda parameters: -parameters["alpha"] / (1 + parameters["alpha"]),
    ),
    "MGDA": Method(
        "MGDAWeighting",
        "Sener & Koltun 2018, arXiv 1810.04650",
        {"epsilon": 1e-3, "max_iters": 100},
    ),
    "NashMTL": Method(
        "NashMTL",
        "Navon et al. 2022, arXiv 2202.01017",
        {"max_norm": 1.0, "optim_niter": 20},
        degree=lambda parameters: -0.5,
    ),
    "PCD": Method(
        "PCDWeighting",
        "TMLR 2026, arXiv 2606.29521",
        {"tau": 0.02, "beta": 0.999, "eps": 1e-8},
        rescaled=False,  # its eps has the scale of squared norms
        remembers=lambda count: {
            "_sq_norm_ema": torch.zeros(count, dtype=torch.float64),
            "_n_steps": torch.tensor(0),
        },
    ),
    "MoDo": Method(
        "MoDoWeighting",
        "Chen et al. 2024, JMLR 25 (23-1287)",
        {"gamma": 0.1, "rho": 0.1},
        rescaled=False,  # its steps have the scale of squared norms
        remembers=lambda count: {"_lambda": _equal(count)},
        halves=True,
    ),
    "SDMGrad": Method(
        "SDMGradWeighting",
        "Xiao et al. 2023, arXiv 2305.18409",
        {"lr": 10.0, "momentum": 0.5, "n_iter": 20, "lambda_": 0.3},
        preferences=True,
        remembers=lambda count: {"_w": _equal(count)},
        halves=True,
    ),
    "Krum": Method(
        "KrumWeighting",
        "Blanchard et al. 2017, NeurIPS 30",
        {"n_byzantine": int, "n_selected": 1},
    ),
}
