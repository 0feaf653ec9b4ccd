"""What was measured of a cell's steps: as a table, as evidence, and as tracked metrics.

Axes: R resamples, K steps, M objectives.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from benchmark.diagnosis.attribution import Evidence
from benchmark.diagnosis.avoidability import Certificate, certificate, reached
from benchmark.diagnosis.geometry.states import update_curvature
from benchmark.diagnosis.law import CERTAIN, Floats, StepSample, resampled_means

SIGNAL = "(signal)"  # stands for the training signal among the objectives
REALISED, CLIPPED, METRIC, REWARD = "realised", "clipped", "metric", "reward/"
STEP_LENGTH = "step_length"  # the metric that is the Euclidean length of the step
COLUMNS = ["step", "kind", "multiple", "prompt", "objective", "value"]
RESAMPLES = 200  # for the attribution; each solves a linear programme a step


def to_frame(samples: Mapping[int, StepSample], names: Sequence[str]) -> pandas.DataFrame:
    """Return the measurements as a tidy table, a row per prompt and objective.

    ``kind`` is a predictor's (its ``value`` a covariance), ``realised`` (a change), ``clipped``
    (the share of clipped tokens, without prompt or objective), or ``metric`` (its name stands in
    the objective's place).
    """
    frames = []
    for step, sample in samples.items():
        for (kind, multiple), values in sample.predictors.items():
            frames.append(_tidy(step, kind, multiple, values, [*names, SIGNAL]))
        for multiple, values in sample.realised.items():
            frames.append(_tidy(step, REALISED, multiple, values, names))
        for multiple, share in sample.clipped.items():
            frames.append(_tidy(step, CLIPPED, multiple, np.array([[share]]), [""]))
        for name, value in sample.metrics.items():
            frames.append(_tidy(step, METRIC, 1.0, np.array([[value]]), [name]))
    return pandas.concat(frames, ignore_index=True)[COLUMNS]


def from_frame(frame: pandas.DataFrame, names: Sequence[str]) -> dict[int, StepSample]:
    """Return what :func:`to_frame` was given."""
    samples: dict[int, StepSample] = {}
    for step in sorted(set(frame["step"])):
        rows = frame[frame["step"] == step]
        sample = StepSample({}, {}, {})
        for kind, multiple in dict.fromkeys(zip(rows["kind"], rows["multiple"], strict=True)):
            part = rows[(rows["kind"] == kind) & (rows["multiple"] == multiple)]
            if kind == METRIC:
                sample.metrics.update(zip(part["objective"], part["value"], strict=True))
                continue
            wide = part.pivot(index="prompt", columns="objective", values="value")
            if kind == REALISED:
                sample.realised[multiple] = wide[[*names]].to_numpy()
            elif kind == CLIPPED:
                sample.clipped[multiple] = float(wide.iloc[0, 0])
            else:
                sample.predictors[kind, multiple] = wide[[*names, SIGNAL]].to_numpy()
        samples[int(step)] = sample
    return samples


def _tidy(
    step: int, kind: str, multiple: float, values: Floats, names: Sequence[str]
) -> pandas.DataFrame:
    prompts, columns = values.shape
    return pandas.DataFrame(
        {
            "step": step,
            "kind": kind,
            "multiple": multiple,
            "prompt": np.repeat(np.arange(prompts), columns),
            "objective": list(names) * prompts,
            "value": values.ravel(),
        }
    )


def reward_covariance(sample: StepSample, names: Sequence[str]) -> Floats:
    """Return each prompt's covariance of the rewards, (P, M, M)."""
    parts = [sample.predictors[f"{REWARD}{name}", 1.0][:, :-1] for name in names]
    return np.stack(parts, axis=2)


def gather_evidence(
    samples: Sequence[StepSample],
    names: Sequence[str],
    generator: np.random.Generator,
    *,
    clipping: bool,
    resamples: int = RESAMPLES,
) -> Evidence:
    """Return the evidence on why objectives fell, over resampled prompts.

    Args:
        samples: The K steps.
        names: The M objectives.
        generator: Draws the prompts.
        clipping: Whether the surrogate's clipping can have acted.
        resamples: R.
    """
    kinds = ("advantage", "unclipped_weight", "weight", "update")
    found: dict[str, list[Floats]] = {kind: [] for kind in (*kinds, REALISED)}
    avoidable, declined = [], []
    for sample in samples:
        sigma = reward_covariance(sample, names)
        own = [sample.predictors[kind, 1.0][:, :-1] for kind in kinds]
        # Prompts are drawn for all of these together.
        joined = np.hstack([*own, sigma.reshape(len(sigma), -1)])
        means = resampled_means(joined, generator, resamples)[1:]
        parts = np.split(means, np.cumsum([len(names)] * len(kinds)), axis=1)
        for kind, part in zip(kinds, parts[:-1], strict=True):
            found[kind].append(part)
        matrices = parts[-1].reshape(resamples, len(names), len(names))
        avoidable.append(np.array([certificate(matrix).value for matrix in matrices]))
        changes = sample.realised[1.0]
        found[REALISED].append(resampled_means(changes, generator, resamples)[1:])
        error = changes.std(axis=0, ddof=1) / np.sqrt(len(changes))
        declined.append(changes.mean(axis=0) + CERTAIN * error < 0)
    stacked = {kind: np.stack(parts, axis=1) for kind, parts in found.items()}
    return Evidence(
        advantage=stacked["advantage"],
        unclipped=stacked["unclipped_weight"],
        clipped=stacked["weight"],
        first_order=stacked["update"],
        realised=stacked[REALISED],
        avoidable=np.stack(avoidable, axis=1),
        declined=np.array(declined),
        clipping=clipping,
    )


def step_metrics(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return a step's measurements, under the names that runs are tracked with."""
    metrics: dict[str, float] = {}
    for (kind, multiple), values in sample.predictors.items():
        if not kind.startswith(REWARD) and multiple == 1.0:
            means = values.mean(axis=0)[:-1]
            metrics |= _each(f"diagnosis/covariance/{kind}", names, means)
    for multiple, changes in sample.realised.items():
        prefix = f"diagnosis/realised/{multiple:g}"
        error = changes.std(axis=0, ddof=1) / np.sqrt(len(changes))
        metrics |= _each(prefix, names, changes.mean(axis=0))
        metrics |= _each(f"{prefix}/standard_error", names, error)
        metrics[f"diagnosis/prompts/{multiple:g}"] = float(len(changes))
        metrics[f"diagnosis/clipped_fraction/{multiple:g}"] = sample.clipped[multiple]
    metrics |= {f"diagnosis/{name}": value for name, value in sample.metrics.items()}
    return metrics | _curvature(sample, names) | _avoidability(sample, names)


def _curvature(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    """Return each objective's curvature along the step, whose length has to be known."""
    first_order = sample.predictors["update", 1.0].mean(axis=0)[:-1]
    changes = sample.realised[1.0].mean(axis=0)
    length = sample.metrics.get(STEP_LENGTH, 0.0)
    found = update_curvature(np.zeros(len(names)), changes, first_order, length)
    return _each("diagnosis/curvature", names, found)


def _avoidability(sample: StepSample, names: Sequence[str]) -> dict[str, float]:
    sigma = reward_covariance(sample, names).mean(axis=0)
    best: Certificate = certificate(sigma)
    signal = sample.predictors["advantage", 1.0].mean(axis=0)[:-1]
    return {
        "diagnosis/avoidable/best": best.value,
        "diagnosis/avoidable/reached": reached(signal, sigma),
        **_each("diagnosis/avoidable/weight", names, best.weights),
        **_each("diagnosis/avoidable/trade_off", names, best.trade_off),
    }


def _each(prefix: str, names: Sequence[str], values: Floats) -> dict[str, float]:
    return {f"{prefix}/{name}": float(v) for name, v in zip(names, values, strict=True)}
