"""Spaces of parameters, and the quasi-random points at which tuning tries them.

A point of the Halton sequence in as many dimensions as a space has, scrambled (`Owen, A randomized
Halton algorithm in R, 2017 <https://arxiv.org/abs/1706.02808>`_; SciPy's ``qmc.Halton``), is mapped
dimension by dimension. Points of one seed are always the same, and the first K of them those of a
smaller budget. Values are rounded to four significant digits, so that a study file shows them
whole.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from benchmark.common.settings import Section

DIGITS = 4
OBJECTIVE, CONSTRAINT = "objective", "constraint"


class Dimension(Section):
    """Where one parameter's values are drawn from.

    ``uniform`` and ``log_uniform`` lie between two bounds; ``simplex`` is a list with a value for
    each objective, uniform among those that are not negative and sum to 1.

    Attributes:
        kind: Which of them.
        low: The lower bound.
        high: The upper bound.
        each: ``objective`` or ``constraint`` where the parameter is a list: of the value drawn,
            once for every objective, or for every one but the first.
    """

    kind: Literal["uniform", "log_uniform", "simplex"]
    low: Annotated[float, Field(ge=0)] | None = None
    high: float | None = None
    each: Literal["objective", "constraint"] | None = None

    @model_validator(mode="after")
    def _has_bounds(self) -> "Dimension":
        if self.kind == "simplex":
            if (self.low, self.high, self.each) != (None, None, None):
                raise ValueError("expected no low, high or each with simplex")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"expected a low below high, got {self.low} and {self.high}")
        if self.kind == "log_uniform" and self.low == 0:
            raise ValueError("low: expected more than 0 with log_uniform, got 0")
        return self

    @property
    def per_objective(self) -> bool:
        """Whether its value is a list whose length depends on the objectives."""
        return self.kind == "simplex" or self.each is not None

    def coordinates(self, objectives: int) -> int:
        """Return how many coordinates of a point it takes."""
        return objectives - 1 if self.kind == "simplex" else 1

    def value(self, place: Sequence[float], objectives: int) -> float | list[float]:
        """Return the parameter at a place of the unit cube, (coordinates,) numbers.

        On the simplex they are its spacings: the gaps between 0, the sorted coordinates and 1.
        """
        if self.kind == "simplex":
            return [_rounded(gap) for gap in np.diff([0.0, *sorted(place), 1.0]).tolist()]
        assert self.low is not None
        assert self.high is not None
        (u,) = place
        if self.kind == "uniform":
            drawn = _rounded(self.low + u * (self.high - self.low))
        else:
            drawn = _rounded(self.low * (self.high / self.low) ** u)
        lengths = {OBJECTIVE: objectives, CONSTRAINT: objectives - 1}
        return drawn if self.each is None else [drawn] * lengths[self.each]


@dataclass(frozen=True)
class Space:
    """What tuning may set of an algorithm, and between which bounds.

    Attributes:
        dimensions: Of each parameter that is drawn.
        source: Where the bounds come from.
        scalarizer: The scalarizer of the points, where it is not the algorithm's own.
        fixed: Parameters that are the same at every point.
        without: Parameters of the algorithm that give way to the point's.
    """

    dimensions: Mapping[str, Dimension]
    source: str = ""
    scalarizer: str | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    @property
    def per_objective(self) -> list[str]:
        """The parameters that are lists, one value per objective."""
        return [name for name, each in self.dimensions.items() if each.per_objective]

    def points(self, count: int, objectives: int, seed: int) -> list[dict[str, Any]]:
        """Return the parameters at the first ``count`` points.

        Args:
            count: How many points.
            objectives: How many objectives lists are for.
            seed: Of the scrambling.
        """
        sizes = [each.coordinates(objectives) for each in self.dimensions.values()]
        ends = np.cumsum(sizes).tolist()
        cube = _halton(count, ends[-1], seed)
        return [
            {
                name: each.value(row[end - size : end], objectives)
                for (name, each), size, end in zip(
                    self.dimensions.items(), sizes, ends, strict=True
                )
            }
            | dict(self.fixed)
            for row in cube
        ]


def _halton(count: int, dimensions: int, seed: int) -> list[list[float]]:
    """Return points (count, dimensions) of the unit cube."""
    if dimensions == 0:
        return [[]] * count
    from scipy.stats import qmc  # takes a second: not before a study is tuned

    sequence = qmc.Halton(dimensions, scramble=True, rng=np.random.default_rng(seed))
    points: list[list[float]] = sequence.random(count).tolist()
    return points


def _rounded(value: float) -> float:
    return value if value == 0 else round(value, DIGITS - 1 - math.floor(math.log10(abs(value))))
