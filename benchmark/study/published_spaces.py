"""The space of each scalarizer's parameters that tuning searches, by the scalarizer's name.

A rule that is not here has nothing to tune. Shared settings (learning rate, clipping, budget,
estimator) are the study's, the same for every rule. Bounds that the source gives are the source's;
ours are, about a published value, a factor of ten either way, and where a parameter is bounded, its
range.
"""

from collections.abc import Mapping

from benchmark.study.spaces import Dimension, Space

OURS = "ours"
DECADE = "ours: a factor of ten about the published value"


def uniform(low: float, high: float, each: str | None = None) -> Dimension:
    """Return a dimension that is uniform between two bounds."""
    return Dimension.model_validate({"kind": "uniform", "low": low, "high": high, "each": each})


def log_uniform(low: float, high: float, each: str | None = None) -> Dimension:
    """Return a dimension whose logarithm is uniform between two bounds."""
    return Dimension.model_validate({"kind": "log_uniform", "low": low, "high": high, "each": each})


_CTWA = Space(
    {
        "step_size": log_uniform(0.005, 0.5),
        "smoothing": uniform(0.05, 0.5),
        "targets": log_uniform(0.02, 0.4, "objective"),
    },
    "ours: a factor of ten about the step; targets about the study's 0.05 to 0.15, one for all",
)
_CAGRAD = {"c": uniform(0.0, 0.9)}
_CLIPPED = Space(_CAGRAD, "ours: 0 to below 1, CAGrad's range, about the published 0.4")

SPACES: Mapping[str, Space] = {
    "linear": Space(
        {"training_weights": Dimension(kind="simplex")},
        "all weights, as Xin et al. 2022, arXiv 2209.11379, tune them",
        scalarizer="weighted",
    ),
    "weighted": Space({"training_weights": Dimension(kind="simplex")}, "as `linear`"),
    "tchebycheff": Space({"rho": log_uniform(0.01, 1.0)}, "ours: about the usual small 0.1"),
    "smooth_tchebycheff": Space(
        {"step_size": log_uniform(0.03, 3.0), "temperature": log_uniform(0.1, 10.0)}, DECADE
    ),
    "stch": Space({"mu": log_uniform(0.01, 1.0)}, "Lin et al. 2024, arXiv 2402.19078: 0.01 to 1"),
    "lagrangian": Space(
        {"step_size": log_uniform(0.001, 0.1), "thresholds": uniform(0.5, 1.0, "constraint")},
        "ours: a factor of ten about the step; one threshold for all",
    ),
    "rvpo": Space(
        {"k": log_uniform(0.1, 5.0), "k_end": log_uniform(0.1, 5.0)},
        "Montero et al. 2026, arXiv 2605.05750: up to 5; the lower bound is ours",
    ),
    "gd2po": Space(
        {"threshold": uniform(0.0, 0.9)},
        "Liu et al. 2026, arXiv 2606.16771: 0.2 and 0.8 in its code; the range is ours",
        fixed={"rule": "snr"},
    ),
    "sa_mrpo": Space({"gamma": uniform(0.0, 2.0)}, "ours: about the published 0.5"),
    "nsga_rank": Space({"beta": uniform(0.0, 1.0)}, "its range"),
    "maxmin": Space({"step_size": log_uniform(0.01, 10.0)}, OURS),
    "max_min_covariance": Space({"smoothing": log_uniform(0.03, 1.0)}, "its range, from 0.03"),
    "foresight": Space(
        {
            "bonus": uniform(0.0, 0.5),
            "floor": uniform(0.0, 0.5),
            "memory": uniform(0.5, 0.99),
        },
        "ours: bonus and floor sum to at most 1",
    ),
    "ctwa": _CTWA,
    "cover": _CTWA,
    "famo": Space(
        {"step_size": log_uniform(0.0025, 0.25), "regularization": log_uniform(1e-6, 1e-2)},
        "step: ours, a factor of ten; decay about the 1e-5 and 1e-3 of its two codes",
    ),
    "geometric_mean": Space({"epsilon": log_uniform(0.001, 0.1)}, DECADE),
    "dwa": Space({"temperature": log_uniform(0.2, 20.0)}, DECADE),
    "pbi": Space({"theta": log_uniform(0.5, 50.0)}, DECADE),
    "cosmos": Space({"penalty": log_uniform(0.1, 10.0)}, OURS),
    "mgda": Space(
        {"power": uniform(0.0, 2.0)},
        "GAPO 2025, arXiv 2507.01915: 1 and 2; 0 is the plain rule",
        without=frozenset({"normalize"}),
    ),
    "gradnorm": Space({"alpha": uniform(0.0, 3.0), "step_size": log_uniform(0.0025, 0.25)}, OURS),
    "dynamic": Space(
        {"step_size": log_uniform(1e-7, 1e-5), "regularization": log_uniform(1e-6, 1e-4)}, DECADE
    ),
    "cagrad_clip": _CLIPPED,
    "raco": _CLIPPED,
    "smoothed": Space({"share": uniform(0.0, 0.99)}, "its range"),
    "torchjd:CAGrad": Space(_CAGRAD, "Liu et al. 2021, arXiv 2110.14048: 0 to below 1"),
    "torchjd:GradVac": Space({"beta": uniform(0.0, 1.0)}, "its range"),
    "torchjd:FairGrad": Space({"alpha": log_uniform(0.3, 10.0)}, OURS),
    "torchjd:PCD": Space(
        {"tau": log_uniform(0.002, 0.2), "beta": uniform(0.9, 0.9999)},
        "ours: a factor of ten about the threshold; the average's range",
    ),
    "torchjd:MoDo": Space({"gamma": log_uniform(0.01, 1.0), "rho": log_uniform(0.01, 1.0)}, DECADE),
    "torchjd:SDMGrad": Space({"lambda_": log_uniform(0.03, 3.0)}, DECADE),
}
# Which rule each is at one end of its parameters, up to how the estimator normalises:
# tests/scalarizers/test_inclusions.py shows it. Tuned, it should not do worse than that.
INCLUDES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("weighted", "stch", "smooth_tchebycheff", "maxmin", "ctwa", "cover", "pbi"),
            *("cosmos", "dwa", "dynamic", "gradnorm", "cagrad_clip", "raco"),
        ),
        "linear",
    ),
    "sa_mrpo": "gdpo",
    "gd2po": "gdpo",
    "rvpo": "mo_grpo",
}
