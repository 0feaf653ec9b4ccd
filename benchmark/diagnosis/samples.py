"""Hold what was measured of a training step, prompt by prompt, and convert it to a tidy table.

Axes: P or Q prompts, n completions a prompt, M objectives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas
from numpy.typing import ArrayLike, NDArray

from benchmark.tracking.names import REWARD

Floats = NDArray[np.float64]

UPDATE, SCORE, ADVANTAGE, LOSS = "update", "score", "advantage", "loss"
UNCLIPPED_WEIGHT, WEIGHT = "unclipped_weight", "weight"
KINDS: Mapping[str, str] = {  # of predictions, each with its caption; `law` defines them
    UPDATE: "derivative along the update",
    SCORE: "covariance with the score",
    ADVANTAGE: "covariance with the advantage",
    LOSS: "covariance with what the loss raises",
    UNCLIPPED_WEIGHT: "covariance with the completion weight, unclipped",
    WEIGHT: "covariance with the completion weight",
}

# Steps that training did not make, as long as the one it did, from the same policy: whose batch
# gives the gradient, and what is made of it. Measured where the study asks for them.
DIRECTIONS: Mapping[str, str] = {
    "own/gradient": "own batch, plain gradient",
    "own/optimizer": "own batch, optimizer without memory",
    "held_out/gradient": "large held-out batch, plain gradient",
    "held_out/optimizer": "large held-out batch, optimizer without memory",
}

SIGNAL = "(signal)"  # stands for the training signal among the objectives
IN_TRAINING = " (training)"  # ends the name of a reward as training had it
REALISED, CLIPPED, METRIC = "realised", "clipped", "metric"
STEP_LENGTH = "step_length"  # the metric that is the Euclidean length of the step
COLUMNS = ["step", "kind", "multiple", "prompt", "objective", "value"]


@dataclass(frozen=True)
class StepSample:
    """What was measured of one training step, prompt by prompt.

    Attributes:
        predictors: By kind and multiple of the step: each prompt's covariance of the M rewards, and
            in a last column of the training signal, with the kind's signal, (P, M + 1). Kinds that
            do not depend on the multiple have it under 1.0 alone. Of :data:`DIRECTIONS`, where
            measured, too.
        reward_covariance: Each prompt's covariance of the 2M rewards, (P, 2M, 2M): first as
            evaluations have them, then as training had them at this step.
        realised: By multiple: each prompt's change of the M objectives, (Q, M).
        clipped: By multiple: the share of tokens that the clipping leaves out.
        metrics: What else is known of the policy before the step, and of the step, by name.
    """

    predictors: Mapping[tuple[str, float], Floats]
    reward_covariance: Floats
    realised: Mapping[float, Floats]
    clipped: Mapping[float, float]
    metrics: Mapping[str, float] = field(default_factory=dict)


def prompt_covariances(rewards: ArrayLike, signal: ArrayLike) -> Floats:
    """Return each prompt's covariance of rewards with a signal: (P, n, M), (P, n) -> (P, M)."""
    rewards, signal = np.asarray(rewards, dtype=float), np.asarray(signal, dtype=float)
    centred = signal - signal.mean(axis=1, keepdims=True)
    return np.asarray(np.einsum("pnm,pn->pm", rewards, centred) / rewards.shape[1])


def reward_covariances(evaluated: ArrayLike, trained: ArrayLike) -> Floats:
    """Return each prompt's covariance (P, 2M, 2M) of both kinds of rewards (P, n, M)."""
    rewards = np.concatenate([np.asarray(evaluated), np.asarray(trained)], axis=2)
    columns = [prompt_covariances(rewards, column) for column in np.moveaxis(rewards, 2, 0)]
    return np.stack(columns, axis=2)


def both(names: Sequence[str]) -> list[str]:
    """Return the names of the 2M rewards: of evaluations, and of training."""
    return [*names, *(f"{name}{IN_TRAINING}" for name in names)]


def to_frame(samples: Mapping[int, StepSample], names: Sequence[str]) -> pandas.DataFrame:
    """Return the measurements as a tidy table, a row per prompt and objective.

    ``kind`` is a predictor's (its ``value`` a covariance), ``reward/<objective>`` (a covariance
    with that reward, or with training's), ``realised`` (a change), ``clipped`` (the share of
    clipped tokens, without prompt or objective), or ``metric`` (its name stands in the objective's
    place).
    """
    frames = []
    for step, sample in samples.items():
        for (kind, multiple), values in sample.predictors.items():
            frames.append(_tidy(step, kind, multiple, values, [*names, SIGNAL]))
        rewards = both(names)
        for column, name in enumerate(rewards):
            covariances = sample.reward_covariance[:, :, column]
            frames.append(_tidy(step, f"{REWARD}{name}", 1.0, covariances, rewards))
        for multiple, values in sample.realised.items():
            frames.append(_tidy(step, REALISED, multiple, values, names))
        for multiple, share in sample.clipped.items():
            frames.append(_tidy(step, CLIPPED, multiple, np.array([[share]]), [""]))
        for name, value in sample.metrics.items():
            frames.append(_tidy(step, METRIC, 1.0, np.array([[value]]), [name]))
    return pandas.concat(frames, ignore_index=True)[COLUMNS]


def from_frame(frame: pandas.DataFrame, names: Sequence[str]) -> dict[int, StepSample]:
    """Return what :func:`to_frame` was given."""
    steps = sorted(set(frame["step"]))
    return {int(step): _sample(frame[frame["step"] == step], names) for step in steps}


def _sample(rows: pandas.DataFrame, names: Sequence[str]) -> StepSample:
    predictors: dict[tuple[str, float], Floats] = {}
    rewards: dict[str, Floats] = {}
    realised: dict[float, Floats] = {}
    clipped: dict[float, float] = {}
    metrics: dict[str, float] = {}
    for kind, multiple in dict.fromkeys(zip(rows["kind"], rows["multiple"], strict=True)):
        part = rows[(rows["kind"] == kind) & (rows["multiple"] == multiple)]
        if kind == METRIC:
            metrics.update(zip(part["objective"], part["value"], strict=True))
            continue
        wide = part.pivot(index="prompt", columns="objective", values="value")
        if kind == REALISED:
            realised[multiple] = wide[[*names]].to_numpy()
        elif kind == CLIPPED:
            clipped[multiple] = float(wide.iloc[0, 0])
        elif kind.startswith(REWARD):
            rewards[kind.removeprefix(REWARD)] = wide[both(names)].to_numpy()
        else:
            predictors[kind, multiple] = wide[[*names, SIGNAL]].to_numpy()
    covariance = np.stack([rewards[name] for name in both(names)], axis=2)
    return StepSample(predictors, covariance, realised, clipped, metrics)


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
