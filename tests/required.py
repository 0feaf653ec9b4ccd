"""Values of the parameters that scalarizers have no default for."""

from typing import Any

REQUIRED: dict[str, dict[str, Any]] = {
    "single": {"objective": "objective0"},
    "stch": {"mu": 0.1},
    "cosmos": {"penalty": 1.0},
    "smoothed": {"rule": "gradnorm"},
    "torchjd:CAGrad": {"c": 0.5},
    "torchjd:FairGrad": {"alpha": 1.0},
    "torchjd:Krum": {"n_byzantine": 0},
}
