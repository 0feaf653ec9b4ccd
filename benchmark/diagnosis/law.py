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
* ``loss``: the same with what the loss raises for a completion, which need not be the advantage
  (:mod:`benchmark.diagnosis.loss`);
* ``unclipped_weight``, ``weight``: the same with the completion weight after the update, without
  and with clipping.

The law leaves the scale :math:`\hat\eta` open. It is set by the training signal itself: by how much
the update raises that at first order, over the signal's own covariance. So a slope of 1 says that
the signal's and the objectives' changes are in the proportion the law claims. An update that lowers
its own signal has no such scale (a negative one would predict the opposite of what the law says):
its records are kept apart as ``lowered``, with the sign of the covariance and no size.

The steps of one cell are not independent, and neither are the objectives of a step: every interval
here is over cells. Axes: N records, M objectives, P or Q prompts.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.diagnosis.resolution import certain
from benchmark.diagnosis.samples import UPDATE, Floats, StepSample
from benchmark.interference.intervals import UNKNOWN, Interval
from benchmark.interference.shares import cluster_interval

FEWEST = 3  # cells that a jackknife needs


@dataclass(frozen=True)
class Records:
    """Predictions and changes, (N,) each.

    Attributes:
        predicted: The change predicted, of the covariance's sign; NaN where nothing is predicted.
        realised: The change measured.
        certain: Whether the sign of the prediction's covariance differs from 0 by its error.
        certain_change: Whether the realised change does.
        lowered: Whether the update lowers its own training signal, at first order.
        multiple: The step size, in multiples of the update made.
        clipped: The share of clipped tokens.
        cell: What intervals are over.
    """

    predicted: Floats
    realised: Floats
    certain: NDArray[np.bool_]
    certain_change: NDArray[np.bool_]
    lowered: NDArray[np.bool_]
    multiple: Floats
    clipped: Floats
    cell: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.realised)

    def where(self, chosen: NDArray[np.bool_]) -> "Records":
        """Return the records of a mask (N,)."""
        return Records(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def usable(self) -> "Records":
        """Return the records that claim something: neither side is 0 or missing."""
        return self.where(np.isfinite(self.predicted) & (self.predicted * self.realised != 0))


def records(samples: Iterable[tuple[str, StepSample]], kind: str) -> Records:
    """Return the records of one kind of prediction, one per step, objective and multiple.

    ``samples`` are pairs of a cell and a step of it.
    """
    parts: list[Records] = []
    for cell, sample in samples:
        lowered = lowers_its_signal(sample)
        for multiple, changes in sample.realised.items():
            own = sample.predictors.get((kind, multiple))
            own = sample.predictors[kind, 1.0] if own is None else own
            count = changes.shape[1]
            parts.append(
                Records(
                    predicted=multiple * _predicted(sample, own, kind),
                    realised=changes.mean(axis=0),
                    certain=certain(own[:, :-1]),
                    certain_change=certain(changes),
                    lowered=np.full(count, lowered),
                    multiple=np.full(count, multiple),
                    clipped=np.full(count, sample.clipped[multiple]),
                    cell=np.array([cell] * count),
                )
            )
    columns = {e.name: [getattr(part, e.name) for part in parts] for e in fields(Records)}
    return Records(**{name: np.concatenate(column) for name, column in columns.items()})


def lowers_its_signal(sample: StepSample) -> bool:
    """Return whether the update lowers the mean of its own training signal at first order."""
    return bool(sample.predictors[UPDATE, 1.0][:, -1].mean() < 0)


def _predicted(sample: StepSample, own: Floats, kind: str) -> Floats:
    """Return predictions per unit step (M,) of the covariances' own sign."""
    means = own.mean(axis=0)
    if kind == UPDATE:
        return np.asarray(means[:-1])
    signal = means[-1]
    if signal <= 0:
        return np.full(len(means) - 1, np.nan)
    return np.asarray(means[:-1] * abs(sample.predictors[UPDATE, 1.0][:, -1].mean()) / signal)


# ---- measures ----------------------------------------------------------------------------------


def sign_agreement(found: Records) -> Interval:
    """Return the share of records whose change has the sign predicted.

    The interval is Korn and Graubard's over cells, which holds the share whatever it is.
    """
    agrees = np.sign(found.predicted) == np.sign(found.realised)
    return cluster_interval(agrees.astype(float), np.ones(len(found)), found.cell.tolist())


def calibration_slope(found: Records) -> Interval:
    """Return the slope of realised on predicted changes through the origin; 1 is calibrated.

    Sampling error in the predictions draws it a little towards 0. The interval is Student's by the
    jackknife over cells.
    """
    return _jackknife(found, _slope)


def rank_correlation(found: Records) -> Interval:
    """Return Spearman's correlation of predicted and realised changes; NaN below 3 records.

    The interval is Student's by the jackknife over cells, of Fisher's transformation.
    """
    found_z = _jackknife(found, lambda part: np.arctanh(_spearman(part)))
    return Interval(*(float(np.tanh(bound)) for bound in found_z))


def _slope(found: Records) -> float:
    square = float(np.square(found.predicted).sum())
    return float((found.predicted * found.realised).sum()) / square if square else math.nan


def _spearman(found: Records) -> float:
    if len(found) < 3:
        return math.nan
    first, second = (stats.rankdata(side) for side in (found.predicted, found.realised))
    if not np.ptp(first) or not np.ptp(second):
        return math.nan
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1 + 1e-12, 1 - 1e-12))


def _jackknife(found: Records, statistic: Callable[[Records], float]) -> Interval:
    """Return a statistic with Student's interval from leaving out one cell after another.

    It lies in the middle of its interval. Efron and Stein, *The jackknife estimate of variance*,
    Annals of Statistics 9 (1981), 586-596. Fewer than :data:`FEWEST` cells give no bounds, nor do
    cells without any of which the statistic is the same.
    """
    estimate, cells = float(statistic(found)), np.unique(found.cell)
    if len(cells) < FEWEST or math.isnan(estimate):
        return Interval(estimate, math.nan, math.nan)
    without = np.array([statistic(found.where(found.cell != cell)) for cell in cells])
    error = math.sqrt((len(cells) - 1) * float(without.var()))
    half = float(stats.t.ppf(0.975, len(cells) - 1)) * error if error > 0 else math.nan
    return Interval(estimate, estimate - half, estimate + half)


def row(found: Records) -> dict[str, float]:
    """Return every measure as one row: estimates with ``_low`` and ``_high``, 95% over cells.

    ``sign_agreement`` is of all records, ``changed_agreement`` of those whose realised change is
    resolved, ``resolved_agreement`` of those whose prediction is too; ``records``, ``changed`` and
    ``resolved`` are their numbers. Records of updates that lower their own signal are in none of
    these; ``lowered`` is their number and ``lowered_agreement`` the share of those resolved on
    either side, ``lowered_resolved``, whose change has the covariance's sign.
    """
    everything = found.usable()
    raised, lowered = (everything.where(everything.lowered == flag) for flag in (False, True))
    changed = raised.where(raised.certain_change)
    resolved = changed.where(changed.certain)
    against = lowered.where(lowered.certain_change & lowered.certain)
    measures = {
        "sign_agreement": (sign_agreement, raised),
        "changed_agreement": (sign_agreement, changed),
        "resolved_agreement": (sign_agreement, resolved),
        "slope": (calibration_slope, raised),
        "rank_correlation": (rank_correlation, raised),
        "lowered_agreement": (sign_agreement, against),
    }
    counts = {"records": raised, "changed": changed, "resolved": resolved}
    counts |= {"lowered": lowered, "lowered_resolved": against}
    result = {"cells": float(len(np.unique(everything.cell)))}
    result |= {name: float(len(part)) for name, part in counts.items()}
    for name, (measure, among) in measures.items():
        value = measure(among) if len(among) else UNKNOWN
        result |= {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
    return result
