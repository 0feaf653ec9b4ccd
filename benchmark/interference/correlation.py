"""Correlate models' interference with their geometry by ranks, with a verdict.

The unit is the model: interference rates are means over its seeds and objective sets beforehand.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from benchmark.interference.comparisons import holm

Floats = NDArray[np.float64]

LEVEL = 0.05  # of the tests, over all quantities
POWER = 0.8  # with which a correlation counts as detectable
FINDABLE = 0.9  # a larger one had to be there to be found: too few models to tell
EXHAUSTIVE = 8  # models, up to which all permutations are tried
RESAMPLES = 9999
FEWEST = 3  # models
TOO_FEW, NONE_SEEN, RELATED = "too few models to tell", "no relation seen", "related"
UNDEFINED = "not defined"


@dataclass(frozen=True)
class Relation:
    """What is known of one quantity's relation to interference.

    Attributes:
        models: Models with both values.
        correlation: Spearman's ρ, ties by mean ranks; NaN if it is not defined.
        low: Lower bound by the percentile bootstrap over models.
        high: Upper bound.
        p: Two-sided permutation p-value.
        p_adjusted: By Holm over the quantities that have one.
        detectable: The smallest |ρ| found with probability :data:`POWER` at the first level of
            Holm's procedure, for this number of models.
        verdict: In words.
        reason: Why there is no correlation; empty if there is.
    """

    models: int
    correlation: float
    low: float
    high: float
    p: float
    p_adjusted: float
    detectable: float
    verdict: str
    reason: str = ""


def relate(
    interference: ArrayLike, quantities: Mapping[str, ArrayLike], generator: np.random.Generator
) -> dict[str, Relation]:
    """Return the relation of mean interference rates (model,) to each quantity (model,).

    A model where a quantity is NaN is left out of that one. The generator draws permutations and
    resamples.
    """
    target = np.asarray(interference, dtype=float)
    found = {
        name: _measure(target, np.asarray(values, dtype=float), generator)
        for name, values in quantities.items()
    }
    tested = [name for name, relation in found.items() if not math.isnan(relation.p)]
    adjusted = dict(zip(tested, holm([found[name].p for name in tested]), strict=True))
    count = max(1, len(tested))
    return {
        name: _judged(relation, adjusted.get(name, math.nan), count)
        for name, relation in found.items()
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


def smallest_p(models: int) -> float:
    """Return the two-sided p-value of a perfect correlation of n models without ties."""
    return min(1.0, 2 / math.factorial(models))


def _measure(target: Floats, values: Floats, generator: np.random.Generator) -> Relation:
    both = np.isfinite(target) & np.isfinite(values)
    x, y = target[both], values[both]
    reason = ""
    if len(x) < FEWEST:
        reason = f"{len(x)} models have both values, {FEWEST} are needed"
    elif np.ptp(x) == 0:
        reason = "the interference rate is the same for all models"
    elif np.ptp(y) == 0:
        reason = "the quantity is the same for all models"
    if reason:
        nan, verdict = math.nan, TOO_FEW if len(x) < FEWEST else UNDEFINED
        return Relation(len(x), nan, nan, nan, nan, nan, nan, verdict, reason)
    ranks = stats.rankdata(x), stats.rankdata(y)
    correlation = _correlation(*ranks)
    low, high = _bootstrap(x, y, generator)
    p = _permutation_p(*ranks, generator)
    return Relation(len(x), correlation, low, high, p, math.nan, math.nan, "")


def _correlation(x: Floats, y: Floats) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _permutation_p(x: Floats, y: Floats, generator: np.random.Generator) -> float:
    """Return the two-sided p-value of ranks, by all permutations or by random ones."""
    models = len(x)
    if models <= EXHAUSTIVE:
        drawn = y[np.array(list(permutations(range(models))))]
    else:
        drawn = generator.permuted(np.tile(y, (RESAMPLES, 1)), axis=1)
    centred = x - x.mean()
    seen = abs(centred @ (y - y.mean()))
    extreme = np.abs((drawn - y.mean()) @ centred) >= seen * (1 - 1e-12)
    if models <= EXHAUSTIVE:
        return float(extreme.mean())
    return float((1 + extreme.sum()) / (1 + RESAMPLES))  # the data are one permutation themselves


def _bootstrap(x: Floats, y: Floats, generator: np.random.Generator) -> tuple[float, float]:
    """Return the percentile bounds; resamples in which a column is constant are left out."""
    chosen = generator.integers(len(x), size=(RESAMPLES, len(x)))
    ranks = [stats.rankdata(values[chosen], axis=1) for values in (x, y)]
    a, b = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    kept = scale > 0
    found = (a * b).sum(axis=1)[kept] / scale[kept]
    low, high = np.quantile(found, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def _judged(relation: Relation, adjusted: float, count: int) -> Relation:
    if relation.reason:
        return relation
    level = LEVEL / count
    detectable = detectable_correlation(relation.models, level)
    if adjusted <= LEVEL:
        verdict = RELATED
    elif smallest_p(relation.models) > level or not detectable <= FINDABLE:
        verdict = TOO_FEW
    else:
        verdict = NONE_SEEN
    known = (relation.models, relation.correlation, relation.low, relation.high, relation.p)
    return Relation(*known, adjusted, detectable, verdict)
