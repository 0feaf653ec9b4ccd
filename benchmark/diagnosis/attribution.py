"""Trace an objective's decline at the diagnosed steps to its cause.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.diagnosis.avoidability import certificate, reached
from benchmark.diagnosis.geometry.states import update_curvature
from benchmark.diagnosis.law import CERTAIN, resampled_means
from benchmark.diagnosis.samples import (
    ADVANTAGE,
    STEP_LENGTH,
    UNCLIPPED_WEIGHT,
    UPDATE,
    WEIGHT,
    Floats,
    StepSample,
)
from benchmark.tracking.names import DIAGNOSIS, objective_metric

RESAMPLES = 200  # each solves a linear programme a step
CAUSES = ("weights", "trade-off", "clipping", "update", "step size")
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
    steps = [_resampled(sample, len(names), generator, resamples) for sample in samples]
    changes = [sample.realised[1.0] for sample in samples]
    errors = [change.std(axis=0, ddof=1) / np.sqrt(len(change)) for change in changes]
    declined = [
        change.mean(axis=0) + CERTAIN * error < 0
        for change, error in zip(changes, errors, strict=True)
    ]
    stacked = {name: np.stack([step[name] for step in steps], axis=1) for name in steps[0]}
    return Evidence(**stacked, declined=np.array(declined), clipping=clipping)


def _resampled(
    sample: StepSample, count: int, generator: np.random.Generator, resamples: int
) -> dict[str, Floats]:
    """Return a step's part of the evidence, (R, M) each and ``avoidable`` (R,)."""
    kinds = (ADVANTAGE, UNCLIPPED_WEIGHT, WEIGHT, UPDATE)
    own = [sample.predictors[kind, 1.0][:, :-1] for kind in kinds]
    sigma = sample.reward_covariance.reshape(len(own[0]), -1)
    # Prompts are drawn for all of these together.
    means = resampled_means(np.hstack([*own, sigma]), generator, resamples)[1:]
    advantage, unclipped, clipped, first_order, covariances = np.split(
        means, count * np.arange(1, len(kinds) + 1), axis=1
    )
    matrices = covariances.reshape(resamples, count, count)
    return {
        "advantage": advantage,
        "unclipped": unclipped,
        "clipped": clipped,
        "first_order": first_order,
        "realised": resampled_means(sample.realised[1.0], generator, resamples)[1:],
        "avoidable": np.array([certificate(matrix).value for matrix in matrices]),
    }


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


def step_metrics(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return a step's measurements, under the names that runs are tracked with."""
    metrics: dict[str, float] = {}
    for (kind, multiple), values in sample.predictors.items():
        if multiple == 1.0:
            means = values.mean(axis=0)[:-1]
            metrics |= _each(f"{DIAGNOSIS}/covariance/{kind}", names, means)
    for multiple, changes in sample.realised.items():
        prefix = f"{DIAGNOSIS}/realised/{multiple:g}"
        error = changes.std(axis=0, ddof=1) / np.sqrt(len(changes))
        metrics |= _each(prefix, names, changes.mean(axis=0))
        metrics |= _each(f"{prefix}/standard_error", names, error)
        metrics[f"{DIAGNOSIS}/prompts/{multiple:g}"] = float(len(changes))
        metrics[f"{DIAGNOSIS}/clipped_fraction/{multiple:g}"] = sample.clipped[multiple]
    metrics |= {f"{DIAGNOSIS}/{name}": value for name, value in sample.metrics.items()}
    return metrics | _curvature(sample, names) | _avoidability(sample, names)


def _curvature(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return each objective's curvature along the step, whose length has to be known."""
    first_order = sample.predictors[UPDATE, 1.0].mean(axis=0)[:-1]
    changes = sample.realised[1.0].mean(axis=0)
    length = sample.metrics.get(STEP_LENGTH, 0.0)
    found = update_curvature(np.zeros(len(names)), changes, first_order, length)
    return _each(f"{DIAGNOSIS}/curvature", names, found)


def _avoidability(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    sigma = sample.reward_covariance.mean(axis=0)
    best = certificate(sigma)
    signal = sample.predictors[ADVANTAGE, 1.0].mean(axis=0)[:-1]
    return {
        f"{DIAGNOSIS}/avoidable/best": best.value,
        f"{DIAGNOSIS}/avoidable/reached": reached(signal, sigma),
        **_each(f"{DIAGNOSIS}/avoidable/weight", names, best.weights),
        **_each(f"{DIAGNOSIS}/avoidable/trade_off", names, best.trade_off),
    }


def _each(prefix: str, names: Sequence[str], values: Floats) -> dict[str, float]:
    return {objective_metric(prefix, n): float(v) for n, v in zip(names, values, strict=True)}
