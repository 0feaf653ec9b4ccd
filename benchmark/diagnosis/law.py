r"""Compare the changes that the covariance law predicts for an update with those measured.

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_. The law says that an update changes objective j in proportion
to the covariance of its reward with the training signal. A *record* is one objective at one step of
one run, at one step size; it has a realised change and, from other prompts, predictions of several
kinds:

* ``update``: :math:`c\, E_x \mathrm{Cov}_x(r_j, \partial_c \log \pi)`, the derivative along the
  update itself, exact to first order in its size c;
* ``score``, ``advantage``: :math:`c\, \hat\eta\, E_x \mathrm{Cov}_x(r_j, s)` with the score or the
  advantage, the law without clipping;
* ``unclipped_weight``, ``weight``: the same with the completion weight after the update, without
  and with clipping.

The law leaves the scale :math:`\hat\eta` open. It is set so that the prediction for the training
signal itself is its derivative along the update; so a slope of 1 says that the signal's and the
objectives' changes are in the proportion the law claims.

Axes: R resamples, N records, M objectives.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.diagnosis.samples import UPDATE, Floats, StepSample
from benchmark.interference.intervals import UNKNOWN, Interval

CERTAIN = 1.96  # standard errors from 0 at which a quantity counts as resolved


@dataclass(frozen=True)
class Records:
    """Predictions and changes, of the sample as it is (row 0) and of resampled prompts.

    Attributes:
        predicted: (1 + R, N); NaN where the kind predicts nothing.
        realised: (1 + R, N).
        multiple: The step size of each record, (N,).
        clipped: Its share of clipped tokens, (N,).
    """

    predicted: Floats
    realised: Floats
    multiple: Floats
    clipped: Floats

    def where(self, chosen: NDArray[np.bool_]) -> "Records":
        """Return the records of a mask (N,)."""
        pair = self.predicted[:, chosen], self.realised[:, chosen]
        return Records(*pair, self.multiple[chosen], self.clipped[chosen])

    def usable(self) -> "Records":
        """Return the records that claim something: neither side is 0 or missing."""
        point = self.predicted[0] * self.realised[0]
        return self.where(np.isfinite(self.predicted).all(axis=0) & (point != 0))

    def resolved(self) -> "Records":
        """Return the records of which both sides differ from 0 by their sampling error."""
        sides = (self.predicted, self.realised)
        with np.errstate(invalid="ignore"):
            certain = [np.abs(side[0]) > CERTAIN * side[1:].std(axis=0) for side in sides]
        return self.where(certain[0] & certain[1])


def resampled_means(values: Floats, generator: np.random.Generator, resamples: int) -> Floats:
    """Return means over prompts: of the sample, and of prompts drawn again, (1 + R, ...)."""
    count = len(values)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples) / count
    weights = np.vstack([np.full(count, 1 / count), drawn])
    return np.asarray(np.tensordot(weights, values, axes=1))


def records(
    samples: Iterable[StepSample], kind: str, generator: np.random.Generator, resamples: int = 1000
) -> Records:
    """Return the records of one kind of prediction over steps, one per objective and multiple."""
    predicted, realised, multiples, clipped = [], [], [], []
    for sample in samples:
        scale = sample.predictors[UPDATE, 1.0]
        for multiple, changes in sample.realised.items():
            own = sample.predictors.get((kind, multiple))
            own = sample.predictors[kind, 1.0] if own is None else own
            joined = resampled_means(np.hstack([own, scale]), generator, resamples)
            predicted.append(multiple * _scaled(joined, own.shape[1], kind))
            realised.append(resampled_means(changes, generator, resamples))
            multiples += [multiple] * changes.shape[1]
            clipped += [sample.clipped[multiple]] * changes.shape[1]
    first, second = (np.concatenate(side, axis=1) for side in (predicted, realised))
    return Records(first, second, np.array(multiples), np.array(clipped))


def _scaled(joined: Floats, columns: int, kind: str) -> Floats:
    """Return predictions per unit step, (1 + R, M), from covariances and those of the update."""
    own, update = joined[:, :columns], joined[:, columns:]
    if kind == UPDATE:
        return own[:, :-1]
    signal = own[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(own[:, :-1] * np.where(signal > 0, update[:, -1:] / signal, np.nan))


def sign_agreement(found: Records) -> Interval:
    """Return the share of records whose change has the sign predicted."""
    return _interval((np.sign(found.predicted) == np.sign(found.realised)).mean(axis=1))


def calibration_slope(found: Records) -> Interval:
    """Return the slope of realised on predicted changes through the origin; 1 is calibrated.

    Sampling error in the predictions draws it a little towards 0.
    """
    products = (found.predicted * found.realised).sum(axis=1)
    return _interval(products / np.square(found.predicted).sum(axis=1))


def rank_correlation(found: Records) -> Interval:
    """Return Spearman's correlation of predicted and realised changes; NaN below 3 records."""
    if found.multiple.size < 3:
        return UNKNOWN
    ranks = [stats.rankdata(side, axis=1) for side in (found.predicted, found.realised)]
    first, second = (side - side.mean(axis=1, keepdims=True) for side in ranks)
    norms = np.sqrt(np.square(first).sum(axis=1) * np.square(second).sum(axis=1))
    return _interval((first * second).sum(axis=1) / norms)


def summary(found: Records) -> dict[str, float]:
    """Return every measure as one row: estimates with ``_low`` and ``_high``, 95% over prompts."""
    found = found.usable()
    resolved = found.resolved()
    measures = {
        "sign_agreement": (sign_agreement, found),
        "resolved_agreement": (sign_agreement, resolved),
        "slope": (calibration_slope, found),
        "rank_correlation": (rank_correlation, found),
    }
    row = {"records": float(found.multiple.size), "resolved": float(resolved.multiple.size)}
    for name, (measure, among) in measures.items():
        value = measure(among) if among.multiple.size else UNKNOWN
        row |= {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
    return row


def _interval(values: Floats) -> Interval:
    """Return the first value with the percentiles of the others."""
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return Interval(float(values[0]), float(low), float(high))
