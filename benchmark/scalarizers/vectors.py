"""Check parameters that hold one number per objective, and return them as tensors (M,)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.common.parameters import is_number, refuse


def vector(name: str, values: object, count: int, minimum: float = -math.inf) -> Tensor:
    """Return a list of ``count`` finite numbers, each at least ``minimum``, as float32 (count,)."""
    if (
        not isinstance(values, Sequence)
        or len(values) != count
        or not all(is_number(value) and value >= minimum for value in values)
    ):
        least = f", each at least {minimum:g}" if minimum > -math.inf else ""
        refuse(name, f"a list of {count} finite numbers{least}", values)
    return torch.tensor(values, dtype=torch.float32)


def simplex(weights: Sequence[float], objectives: Sequence[str]) -> Tensor:
    """Return preference weights (M,), one per objective, scaled to sum 1."""
    if isinstance(weights, Sequence) and len(weights) != len(objectives):
        names = ", ".join(objectives)
        refuse("weights", f"one number per objective ({len(objectives)}: {names})", weights)
    vector("weights", weights, len(objectives), minimum=0.0)
    values = torch.tensor(weights, dtype=torch.float64)
    if not 0 < values.sum() < math.inf:
        refuse("weights", "a positive, finite sum", weights)
    return (values / values.sum()).float()
