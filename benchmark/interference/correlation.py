"""Correlate models' interference with their geometry by ranks within strata, with a verdict.

The unit is the model: interference rates are means over its seeds and objective sets beforehand.
Models of one stratum share what interference depends on besides, such as what they were taught:
only these are exchangeable, so only differences within strata count.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from benchmark.interference.comparisons import holm

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

LEVEL = 0.05  # of the tests, over all quantities
POWER = 0.8  # with which a correlation counts as detectable
FINDABLE = 0.9  # a larger one had to be there to be found: too few models to tell
EXHAUSTIVE = math.factorial(8)  # permutations, up to which all are tried
RESAMPLES = 9999
FEWEST = 3  # models
TOO_FEW, NONE_SEEN, RELATED = "too few models to tell", "no relation seen", "related"
UNDEFINED = "not defined"


@dataclass(frozen=True)
class Relation:
    """What is known of one quantity's relation to interference.

    Attributes:
        models: Models with both values, that share a stratum with another one.
        strata: The strata these are of.
        correlation: Spearman's ρ, ties by mean ranks, of ranks less their stratum's mean; NaN if it
            is not defined.
        p: Two-sided p-value by permutation within strata.
        p_adjusted: By Holm over the quantities that have one.
        detectable: The smallest |ρ| found with probability :data:`POWER` at the first level of
            Holm's procedure, for this number of models.
        verdict: In words.
        reason: Why there is no correlation; empty if there is.
    """

    models: int
    strata: int
    correlation: float
    p: float
    p_adjusted: float
    detectable: float
    verdict: str
    reason: str = ""


def relate(
    interference: ArrayLike,
    quantities: Mapping[str, ArrayLike],
    generator: np.random.Generator,
    strata: Sequence[Hashable] | None = None,
) -> dict[str, Relation]:
    """Return the relation of mean interference rates (model,) to each quantity (model,).

    A model where a quantity is NaN is left out of that one, and one alone in its stratum (model,)
    of all; None for all models in one. The generator draws permutations.
    """
    target = np.asarray(interference, dtype=float)
    given = [0] * len(target) if strata is None else [str(each) for each in strata]
    _, own = np.unique(given, return_inverse=True)
    measured = {
        name: _measure(target, np.asarray(values, dtype=float), own, generator)
        for name, values in quantities.items()
    }
    found = {name: relation for name, (relation, _) in measured.items()}
    tested = [name for name, relation in found.items() if not math.isnan(relation.p)]
    adjusted = dict(zip(tested, holm([found[name].p for name in tested]), strict=True))
    count = max(1, len(tested))
    return {
        name: _judged(relation, orders, adjusted.get(name, math.nan), count)
        for name, (relation, orders) in measured.items()
    }


def detectable_correlation(models: int, level: float, power: float = POWER) -> float:
    r"""Return the smallest |ρ| that a two-sided test finds with a given power; NaN below 4 models.

    :math:`\tanh((z_{1 - level/2} + z_{power}) \sqrt{1.06 / (n - 3)})`: Fisher's transformation with
    the variance of Spearman's ρ by Fieller, Hartley and Pearson, *Tests for rank correlation
    coefficients. I*, Biometrika 1957. It is an approximation, good from about 10 models.
    """
    if models < 4:
        return math.nan
    quantiles = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power)
    return float(np.tanh(quantiles * math.sqrt(1.06 / (models - 3))))


def smallest_p(orders: int) -> float:
    """Return the two-sided p-value of a perfect correlation, of so many equally likely orders."""
    return min(1.0, 2 / orders)


def _measure(
    target: Floats, values: Floats, strata: Indices, generator: np.random.Generator
) -> tuple[Relation, int]:
    """Return the relation without adjustment, and in how many orders the models could stand."""
    kept = np.isfinite(target) & np.isfinite(values)
    both = int(kept.sum())
    _, where, sizes = np.unique(strata[kept], return_inverse=True, return_counts=True)
    kept[kept] = sizes[where] > 1
    x, y, own = target[kept], values[kept], strata[kept]
    count, models = len(np.unique(own)), len(x)
    orders = math.prod(math.factorial(int(size)) for size in sizes)
    ranks = [_within(stats.rankdata(side), own) for side in (x, y)] if models else []
    reason = ""
    if both < FEWEST:
        reason = f"{both} models have both values, {FEWEST} are needed"
    elif models < FEWEST:
        reason = f"{models} models share a stratum with another, {FEWEST} are needed"
    elif not ranks[0].any():
        reason = f"the interference rate is the same for all models{_of_each(count)}"
    elif not ranks[1].any():
        reason = f"the quantity is the same for all models{_of_each(count)}"
    if reason:
        nan, verdict = math.nan, TOO_FEW if models < FEWEST else UNDEFINED
        return Relation(models, count, nan, nan, nan, nan, verdict, reason), orders
    scale = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    correlation = float(ranks[0] @ ranks[1]) / scale
    p = _permutation_p(ranks[0], ranks[1], own, orders, generator)
    return Relation(models, count, correlation, p, math.nan, math.nan, ""), orders


def _of_each(strata: int) -> str:
    return " of each stratum" if strata > 1 else ""


def _within(ranks: Floats, strata: Indices) -> Floats:
    """Return ranks less the mean of their stratum, (model,)."""
    _, own = np.unique(strata, return_inverse=True)
    return np.asarray(ranks - (np.bincount(own, ranks) / np.bincount(own))[own])


def _permutation_p(
    x: Floats, y: Floats, strata: Indices, orders: int, generator: np.random.Generator
) -> float:
    """Return the two-sided p-value of centred ranks, by all permutations or by random ones."""
    seen = abs(float(x @ y)) * (1 - 1e-12)
    members = [np.flatnonzero(strata == each) for each in np.unique(strata)]
    if orders <= EXHAUSTIVE:
        drawn = np.array([y[order] for order in _orders(members, len(y))])
        return float((np.abs(drawn @ x) >= seen).mean())
    drawn = np.tile(y, (RESAMPLES, 1))
    for own in members:
        drawn[:, own] = generator.permuted(drawn[:, own], axis=1)
    extreme = np.abs(drawn @ x) >= seen
    return float((1 + extreme.sum()) / (1 + RESAMPLES))  # the data are one permutation themselves


def _orders(members: Sequence[Indices], count: int) -> Iterator[Indices]:
    """Yield every order of models (model,) that keeps each in its stratum."""
    for choice in product(*(permutations(own) for own in members)):
        order = np.arange(count)
        for own, moved in zip(members, choice, strict=True):
            order[own] = moved
        yield order


def _judged(relation: Relation, orders: int, adjusted: float, count: int) -> Relation:
    if relation.reason:
        return relation
    level = LEVEL / count
    # Every stratum but one costs a degree of freedom, as its mean does.
    detectable = detectable_correlation(relation.models - relation.strata + 1, level)
    if adjusted <= LEVEL:
        verdict = RELATED
    elif smallest_p(orders) > level or not detectable <= FINDABLE:
        verdict = TOO_FEW
    else:
        verdict = NONE_SEEN
    return replace(relation, p_adjusted=adjusted, detectable=detectable, verdict=verdict)
