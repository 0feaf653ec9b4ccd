"""Why an objective fell: its decline at the steps that were diagnosed, traced to a cause.

Between what the scalarizer asks for and what the objective did lie three translations, each of
which can turn a gain into a loss. At a step at which an objective fell, the first one that did is
the cause:

* its covariance with the training signal (the advantage) is negative already: the signal itself
  asked for the decline. Were there weights under which no objective's covariance is negative, the
  cause is ``weights``; if not, that is in a perfect trade-off, ``trade-off``
  (:mod:`benchmark.diagnosis.avoidability`);
* the surrogate's clipping turned the covariance with the completion weight negative: ``clipping``.
  Only where a rollout makes several updates; the first one is never clipped;
* the update, at first order, moved the objective down although the signal asked for the opposite:
  ``update``. What a step of Adam on shared parameters, from a batch's sample, does is not the
  signal's tilt of the distribution;
* the objective rises at first order and yet fell: the step was too large, ``step size``.

Axes: R resamples (for the uncertainty; 1 for a point estimate), K steps, M objectives.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CAUSES = ("weights", "trade-off", "clipping", "update", "step size")
# t* below which a trade-off counts as perfect. An objective trained alone has 1, so weights that
# spare every objective would then serve the worst off at less than 1% of that speed.
TRADE_OFF = 0.01


@dataclass(frozen=True)
class Evidence:
    """What is known of the diagnosed steps.

    Attributes:
        advantage: Covariance of each reward with the advantage, (R, K, M).
        unclipped: Covariance with the completion weight, clipping left out, (R, K, M).
        clipped: Covariance with the completion weight, (R, K, M).
        first_order: Change at first order along the update that was made, (R, K, M).
        realised: Change, (R, K, M).
        avoidable: t*, (R, K).
        declined: Whether the change is below 0 by its interval, (K, M).
        clipping: Whether the surrogate's clipping can have acted on the update.
    """

    advantage: Floats
    unclipped: Floats
    clipped: Floats
    first_order: Floats
    realised: Floats
    avoidable: Floats
    declined: NDArray[np.bool_]
    clipping: bool


def causes(evidence: Evidence) -> NDArray[np.int_]:
    """Return the index into :data:`CAUSES` of each decline, (R, K, M).

    Meaningful where the objective fell; there is one everywhere.
    """
    asked_for = evidence.advantage < 0
    clipped_away = evidence.clipping & (evidence.unclipped >= 0) & (evidence.clipped < 0)
    trade_off = np.broadcast_to((evidence.avoidable < TRADE_OFF)[..., None], asked_for.shape)
    found = np.select(
        [asked_for & trade_off, asked_for, clipped_away, evidence.first_order < 0],
        [CAUSES.index(name) for name in ("trade-off", "weights", "clipping", "update")],
        CAUSES.index("step size"),
    )
    return np.asarray(found)


def attribute(evidence: Evidence) -> Floats:
    """Return each cause's share of every objective's decline: (M, causes).

    Declines weigh by their size, over the steps at which the objective fell by its interval, and by
    how often the resamples give the cause. A row is NaN for an objective that fell at no step.
    """
    counted = np.maximum(-evidence.realised, 0.0) * evidence.declined  # (R, K, M)
    each = causes(evidence)
    shares = [(counted * (each == cause)).sum(axis=(0, 1)) for cause in range(len(CAUSES))]
    total = counted.sum(axis=(0, 1))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.stack(shares, axis=-1) / np.where(total > 0, total, np.nan)[:, None])


def in_words(shares: Floats) -> str:
    """Return an objective's shares (causes,) as text, largest first, such as ``weights 83%, …``."""
    if np.isnan(shares).any():
        return "no decline at the diagnosed steps"
    percent = {name: round(100 * share) for name, share in zip(CAUSES, shares, strict=True)}
    ordered = sorted(CAUSES, key=lambda name: -percent[name])  # stable: ties in the causes' order
    return ", ".join(f"{name} {percent[name]}%" for name in ordered if percent[name])


def per_objective(evidence: Evidence, names: tuple[str, ...]) -> Mapping[str, str]:
    """Return the attribution of every objective in words."""
    return dict(zip(names, map(in_words, attribute(evidence)), strict=True))
