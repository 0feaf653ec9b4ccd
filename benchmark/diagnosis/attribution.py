"""Trace an objective's decline at the diagnosed steps to its cause.

Between what the scalarizer asks for and what the objective did lie three translations, each of
which can turn a gain into a loss. At a step at which an objective fell, the first one that did is
the cause:

* its covariance with the training signal (the advantage) is negative already: the signal itself
  asked for the decline. Were there weights on the rewards, as training had them at that step, that
  ask every objective to rise, the cause is ``weights``; if not, it is ``trade-off``
  (:mod:`benchmark.diagnosis.weights`). That there were some does not say that training with them
  would have avoided the decline;
* the surrogate's clipping turned the covariance with the completion weight negative: ``clipping``.
  Only where a rollout makes several updates; the first one is never clipped;
* the update, at first order, moved the objective down although the signal asked for the opposite:
  ``parameters and optimizer``. The batch's sample, the loss's own weighting by length, shared
  parameters and the optimizer's step do this together;
  :data:`benchmark.diagnosis.samples.DIRECTIONS` tells them apart where measured;
* the objective rises at first order and yet fell: the step was too large, ``step size``.

Each of these signs is one of an estimate. Where its 95% interval over prompts holds 0 and the cause
turns on it, the cause is ``unresolved``.

Axes: R resamples (for the uncertainty; 1 for a point estimate), K steps, M objectives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.diagnosis.geometry.states import update_curvature
from benchmark.diagnosis.resolution import CERTAIN, resampled_means, standard_error
from benchmark.diagnosis.samples import (
    ADVANTAGE,
    DIRECTIONS,
    STEP_LENGTH,
    UNCLIPPED_WEIGHT,
    UPDATE,
    WEIGHT,
    Floats,
    StepSample,
)
from benchmark.diagnosis.weights import certificate, reached, split
from benchmark.tracking.names import DIAGNOSIS, objective_metric

RESAMPLES = 200  # each solves a linear programme a step
WEIGHTS, TRADE_OFF_FOUND, CLIPPING = "weights", "trade-off", "clipping"
STEP_MADE, STEP_SIZE, UNRESOLVED = "parameters and optimizer", "step size", "unresolved"
CAUSES = (WEIGHTS, TRADE_OFF_FOUND, CLIPPING, STEP_MADE, STEP_SIZE, UNRESOLVED)
BOUNDS = (0.025, 0.975)  # of intervals over prompts
# t* below which a trade-off counts as perfect. An objective trained alone has 1, so weights that
# spare every objective would then serve the worst off at less than 1% of that speed.
TRADE_OFF = 0.01


@dataclass(frozen=True)
class Evidence:
    """Everything known of the diagnosed steps.

    Attributes:
        advantage: Covariance of each reward with the advantage, (R, K, M).
        unclipped: Covariance with the completion weight, clipping left out, (R, K, M).
        clipped: Covariance with the completion weight, (R, K, M).
        first_order: Change at first order along the update that was made, (R, K, M).
        realised: Change, (R, K, M).
        best: t*, (R, K); NaN at steps where no cause turns on it.
        declined: Whether the change is below 0 by its interval, (K, M).
        clipping: Whether the surrogate's clipping can have acted on the update.
    """

    advantage: Floats
    unclipped: Floats
    clipped: Floats
    first_order: Floats
    realised: Floats
    best: Floats
    declined: NDArray[np.bool_]
    clipping: bool


def gather_evidence(
    samples: Sequence[StepSample],
    names: Sequence[str],
    generator: np.random.Generator,
    *,
    clipping: bool,
    resamples: int = RESAMPLES,
) -> Evidence:
    """Return the evidence on why objectives fell at K steps, over resampled prompts.

    ``clipping`` says whether the surrogate's clipping can have acted.
    """
    changes = [sample.realised[1.0] for sample in samples]
    declined = [change.mean(axis=0) + CERTAIN * standard_error(change) < 0 for change in changes]
    steps = [
        _resampled(sample, len(names), fell, generator, resamples)
        for sample, fell in zip(samples, declined, strict=True)
    ]
    stacked = {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}
    return Evidence(**stacked, declined=np.array(declined), clipping=clipping)


def _resampled(
    sample: StepSample,
    count: int,
    declined: NDArray[np.bool_],
    generator: np.random.Generator,
    resamples: int,
) -> dict[str, Floats]:
    """Return a step's part of the evidence, (R, M) each and ``best`` (R,)."""
    kinds = (ADVANTAGE, UNCLIPPED_WEIGHT, WEIGHT, UPDATE)
    own = [sample.predictors[kind, 1.0][:, :-1] for kind in kinds]
    sigma = sample.reward_covariance.reshape(len(own[0]), -1)
    # Prompts are drawn for all of these together.
    means = resampled_means(np.hstack([*own, sigma]), generator, resamples)[1:]
    advantage, unclipped, clipped, first_order, covariances = np.split(
        means, count * np.arange(1, len(kinds) + 1), axis=1
    )
    best = np.full(resamples, np.nan)
    if (declined & (_sign(advantage) < 0)).any():  # else no cause turns on it
        matrices = covariances.reshape(resamples, 2 * count, 2 * count)
        best = np.array([certificate(*split(matrix)).value for matrix in matrices])
    return {
        "advantage": advantage,
        "unclipped": unclipped,
        "clipped": clipped,
        "first_order": first_order,
        "realised": resampled_means(sample.realised[1.0], generator, resamples)[1:],
        "best": best,
    }


def causes(evidence: Evidence) -> NDArray[np.int_]:
    """Return the index into :data:`CAUSES` of each decline, (K, M).

    Meaningful where the objective fell; there is one everywhere.
    """
    asked, clipped, unclipped, first_order = (
        _sign(each)
        for each in (
            evidence.advantage,
            evidence.clipped,
            evidence.unclipped,
            evidence.first_order,
        )
    )
    best = np.broadcast_to(_sign(evidence.best - TRADE_OFF)[:, None], asked.shape)
    # Whether clipping turned the sign: 1 yes, 0 not known, -1 no.
    turned = -clipped if evidence.clipping else np.full_like(asked, -1)
    turned = np.where((turned < 0) | (unclipped < 0), -1, np.minimum(turned, unclipped))
    chain = [  # each where all before it are ruled out, which an unresolved sign does not
        (asked == 0, UNRESOLVED),
        ((asked < 0) & (best > 0), WEIGHTS),
        ((asked < 0) & (best < 0), TRADE_OFF_FOUND),
        (asked < 0, UNRESOLVED),
        (turned > 0, CLIPPING),
        (turned == 0, UNRESOLVED),
        (first_order < 0, STEP_MADE),
        (first_order > 0, STEP_SIZE),
    ]
    conditions, found = zip(*chain, strict=True)
    numbers = [CAUSES.index(cause) for cause in found]
    return np.asarray(np.select(conditions, numbers, CAUSES.index(UNRESOLVED)))


def _sign(values: Floats) -> NDArray[np.int_]:
    """Return the sign (...) that resamples (R, ...) agree on by their interval, else 0."""
    low, high = np.quantile(values, BOUNDS, axis=0)
    return (low > 0).astype(int) - (high < 0).astype(int)


def declines(evidence: Evidence) -> Floats:
    """Return how far each objective fell at each step where it did by its interval, (K, M)."""
    return np.asarray(np.maximum(-evidence.realised, 0.0).mean(axis=0) * evidence.declined)


def attribute(evidence: Evidence) -> Floats:
    """Return each cause's share of every objective's decline: (M, causes).

    Declines weigh by their size, over the steps at which the objective fell by its interval. A row
    is NaN for an objective that fell at no step.
    """
    counted, each = declines(evidence), causes(evidence)
    shares = [(counted * (each == cause)).sum(axis=0) for cause in range(len(CAUSES))]
    total = counted.sum(axis=0)
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


def step_metrics(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return a step's measurements, under the names that runs are tracked with."""
    metrics: dict[str, float] = {}
    for (kind, multiple), values in sample.predictors.items():
        if multiple == 1.0:
            means = values.mean(axis=0)[:-1]
            what = "direction" if kind in DIRECTIONS else "covariance"
            metrics |= _each(f"{DIAGNOSIS}/{what}/{kind}", names, means)
    for multiple, changes in sample.realised.items():
        prefix = f"{DIAGNOSIS}/realised/{multiple:g}"
        metrics |= _each(prefix, names, changes.mean(axis=0))
        metrics |= _each(f"{prefix}/standard_error", names, standard_error(changes))
        metrics[f"{DIAGNOSIS}/prompts/{multiple:g}"] = float(len(changes))
        metrics[f"{DIAGNOSIS}/clipped_fraction/{multiple:g}"] = sample.clipped[multiple]
    metrics |= {f"{DIAGNOSIS}/{name}": value for name, value in sample.metrics.items()}
    return metrics | _curvature(sample, names) | _weights(sample, names)


def _curvature(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return each objective's curvature along the step, whose length has to be known."""
    first_order = sample.predictors[UPDATE, 1.0].mean(axis=0)[:-1]
    changes = sample.realised[1.0].mean(axis=0)
    length = sample.metrics.get(STEP_LENGTH, 0.0)
    found = update_curvature(np.zeros(len(names)), changes, first_order, length)
    return _each(f"{DIAGNOSIS}/curvature", names, found)


def _weights(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return what the best weights of the step come to, and what its signal reached."""
    rewards = split(sample.reward_covariance.mean(axis=0))
    best = certificate(*rewards)
    signal = sample.predictors[ADVANTAGE, 1.0].mean(axis=0)[:-1]
    return {
        f"{DIAGNOSIS}/weights/best": best.value,
        f"{DIAGNOSIS}/weights/reached": reached(signal, *rewards),
        **_each(f"{DIAGNOSIS}/weights/weight", names, best.weights),
        **_each(f"{DIAGNOSIS}/weights/trade_off", names, best.trade_off),
    }


def _each(prefix: str, names: Sequence[str], values: Floats) -> dict[str, float]:
    return {objective_metric(prefix, n): float(v) for n, v in zip(names, values, strict=True)}
