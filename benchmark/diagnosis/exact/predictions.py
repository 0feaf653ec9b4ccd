"""Pair each step rule of ``crosstalk law`` with every prediction of its effect."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benchmark.diagnosis.exact.problems import (
    Floats,
    Problems,
    covariance,
    gradient,
    third_moment,
    tilt,
)
from benchmark.diagnosis.exact.steps import (
    adam,
    clipped_surrogate,
    log_linear_natural_gradient,
    natural_gradient,
    vanilla_gradient,
)

CLIP = 0.2  # the study's ε, on both sides


class Prediction(NamedTuple):
    """One step of every problem with one prediction of what it changes."""

    step: str
    name: str
    exact: bool  # to first order
    policy: Floats  # before the step (N, P, Y)
    direction: Floats  # d (N, P, Y)
    slope: Floats  # predicted ΔJ_j / η (N, M)
    curvature: Floats | float = 0.0  # predicted second derivative (N, M)


def predictions(problems: Problems, generator: np.random.Generator) -> Iterator[Prediction]:
    """Yield every step rule with each prediction that is made for it.

    The clipped surrogate's step starts from a policy that has drifted by 0.4, half with the score
    and half at random; the log-linear policy has half as many features as there are free logits.
    """
    policy, rewards, scores = problems.policy, problems.rewards, problems.scores
    law = covariance(policy, rewards, scores)
    second = third_moment(policy, rewards, scores)
    yield Prediction("tilt", "cov(r, s)", True, policy, scores, law)
    yield Prediction("tilt", "cov(r, s) + κ₃ term", True, policy, scores, law, second)
    natural = natural_gradient(policy, scores)
    yield Prediction("natural gradient", "cov(r, s)", True, policy, natural, law)
    _, prompts, completions = scores.shape
    features = generator.normal(size=(*scores.shape, prompts * (completions - 1) // 2))
    others = {
        "natural gradient, log-linear": (
            "cov(r, projected s)",
            log_linear_natural_gradient(policy, features, scores),
        ),
        "vanilla gradient": ("own gradient product", vanilla_gradient(policy, scores)),
        "Adam": ("own gradient product", adam(gradient(policy, scores))),
    }
    for step, (own, direction) in others.items():
        exact = covariance(policy, rewards, direction)
        yield Prediction(step, own, True, policy, direction, exact)
        yield Prediction(step, "cov(r, s)", False, policy, direction, law)
    yield from clipped_predictions(problems, drifted(problems, 0.4, generator))


def drifted(problems: Problems, size: float, generator: np.random.Generator) -> Floats:
    """Return policies moved from the initial ones, as inner steps on mini-batches do: (N, P, Y).

    They are tilted by ``size`` times the sum of the score and of noise of the same variance.
    """
    policy = problems.policy
    noise = generator.normal(size=problems.scores.shape)
    return tilt(policy, problems.scores + noise, size / np.sqrt(2))


def clipped_predictions(problems: Problems, policy: Floats) -> Iterator[Prediction]:
    """Yield the predictions for a clipped surrogate's step from a policy that has drifted.

    The problems' policies are the old ones; π (N, P, Y) is the present one.
    """
    old, rewards, scores = problems.policy, problems.rewards, problems.scores
    clipped = clipped_surrogate(old, policy, scores, clip_low=CLIP, clip_high=CLIP)
    slopes = {
        "cov(r, unclipped s), present policy": covariance(policy, rewards, clipped.effective),
        "cov(r, w), samples of the old policy": covariance(old, rewards, clipped.weights),
        "cov(r, s), clipping left out": covariance(policy, rewards, scores),
    }
    for index, (name, slope) in enumerate(slopes.items()):
        yield Prediction("clipped surrogate", name, index == 0, policy, clipped.effective, slope)
