"""Checks of scalarizer parameters: the value in the form to use, or an error naming it."""

import math
from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError


def vector(name: str, values: object, count: int, minimum: float = -math.inf) -> Tensor:
    """Return the parameter ``name`` as a float32 tensor of ``count`` numbers, each >= ``minimum``.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if (
        not isinstance(values, Sequence)
        or len(values) != count
        or not all(_is_number(value) and value >= minimum for value in values)
    ):
        least = f", each at least {minimum:g}" if minimum > -math.inf else ""
        raise CrosstalkError(
            f"{name}: {values!r} should be a list of {count} finite numbers{least}"
        )
    return torch.tensor(values, dtype=torch.float32)


def number(name: str, value: object, minimum: float, maximum: float = math.inf) -> float:
    """Return the parameter ``name`` as a finite float from ``minimum`` to ``maximum``.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not _is_number(value) or not minimum <= value <= maximum:
        most = f" and at most {maximum:g}" if maximum < math.inf else ""
        raise CrosstalkError(f"{name}: {value!r} should be a number, at least {minimum:g}{most}")
    return float(value)


def integer(name: str, value: object, minimum: int) -> int:
    """Return the parameter ``name`` as an integer of at least ``minimum``.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise CrosstalkError(f"{name}: {value!r} should be an integer, at least {minimum}")
    return value


def flag(name: str, value: object) -> bool:
    """Return the parameter ``name``, true or false.

    Raises:
        CrosstalkError: If it is anything else.
    """
    if not isinstance(value, bool):
        raise CrosstalkError(f"{name}: {value!r} should be true or false")
    return value


def simplex(weights: Sequence[float], objectives: Sequence[str]) -> Tensor:
    """Return preference weights (M,), one per objective, scaled to sum 1.

    Raises:
        CrosstalkError: If their number differs from that of the objectives, or one is negative or
            not finite, or their sum is not positive.
    """
    if isinstance(weights, Sequence) and len(weights) != len(objectives):
        names = ", ".join(objectives)
        raise CrosstalkError(
            f"weights: {weights!r} should have one value per objective ({len(objectives)}: {names})"
        )
    vector("weights", weights, len(objectives), minimum=0.0)
    values = torch.tensor(weights, dtype=torch.float64)
    if not 0 < values.sum() < math.inf:
        raise CrosstalkError(f"weights: {weights!r} should have a positive, finite sum")
    return (values / values.sum()).float()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
