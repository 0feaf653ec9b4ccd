"""What ``crosstalk law`` measures: the covariance law against the truth, in tidy tables.

Each function draws its own random problems from a generator, enumerates them (see
:mod:`benchmark.tabular`) and returns a table whose columns its docstring names. Objectives have
unit variance and step sizes count in standard deviations of the score.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas

from benchmark.statistics import mean_interval
from benchmark.tabular import (
    Floats,
    Problems,
    change,
    covariance,
    gradient,
    random_problems,
    third_moment,
    tilt,
    with_margin,
)
from benchmark.tabular_steps import (
    adam,
    clipped_surrogate,
    log_linear_natural_gradient,
    natural_gradient,
    vanilla_gradient,
)

STEP_SIZES = np.logspace(-5, 1, 25)  # four a decade
FITTED = 0.1  # orders are fitted on the four decades up to here
MARGINS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.9)
SHARPNESS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
FEATURES = (1, 2, 4, 8, 16, 24, 28)  # 28 = 4 prompts x (8 - 1) completions: all policies
DRIFTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 2.5)
CLIPPED_EDGES = (-1.0, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
NEAR_ZERO = 0.1  # a margin as small as that is called near zero
CLIP = 0.2  # the study's ε, on both sides
SMALL_STEP = 1e-4  # first order: far below every margin that matters


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
    yield from _clipped_predictions(problems, drifted(problems, 0.4, generator))


def drifted(problems: Problems, size: float, generator: np.random.Generator) -> Floats:
    """Return policies moved from the initial ones, as inner steps on mini-batches do: (N, P, Y).

    They are tilted by ``size`` times the sum of the score and of noise of the same variance.
    """
    policy = problems.policy
    noise = generator.normal(size=problems.scores.shape)
    return tilt(policy, problems.scores + noise, size / np.sqrt(2))


def _clipped_predictions(problems: Problems, policy: Floats) -> Iterator[Prediction]:
    old, rewards, scores = problems.policy, problems.rewards, problems.scores
    clipped = clipped_surrogate(old, policy, scores, clip_low=CLIP, clip_high=CLIP)
    slopes = {
        "cov(r, unclipped s), present policy": covariance(policy, rewards, clipped.effective),
        "cov(r, w), samples of the old policy": covariance(old, rewards, clipped.weights),
        "cov(r, s), clipping left out": covariance(policy, rewards, scores),
    }
    for index, (name, slope) in enumerate(slopes.items()):
        yield Prediction("clipped surrogate", name, index == 0, policy, clipped.effective, slope)


class Orders(NamedTuple):
    """Results of :func:`orders`."""

    table: pandas.DataFrame
    curves: pandas.DataFrame


def orders(problems: Problems, generator: np.random.Generator) -> Orders:
    """Compare each prediction with the true change at every step size.

    Returns:
        ``table``, a row per step and prediction: whether theory calls it first-order exact, the
        order (slope of log |error| on log η over step sizes up to 0.1; median over pairs of problem
        and objective, with the 5% and 95% quantiles), sign agreement at four step sizes.
        ``curves``, a row per step, prediction and step size: median |error|, sign agreement with
        its 95% interval over problems, and R², the share of the error of η cov that the κ₃ term
        explains.
    """
    rows, curves = [], []
    for case in predictions(problems, generator):
        errors, agreements, explained = [], [], []
        for eta in STEP_SIZES:
            true = change(case.policy, problems.rewards, case.direction, eta)
            second = eta**2 / 2 * case.curvature
            predicted = eta * case.slope + second
            errors.append(np.abs(true - predicted))
            agreements.append(mean_interval((np.sign(true) == np.sign(predicted)).mean(axis=1)))
            explained.append(_explained(true - eta * case.slope, second))
        fitted = _slopes(np.stack(errors)[STEP_SIZES <= FITTED * 1.001])
        low, median, high = np.quantile(fitted, [0.05, 0.5, 0.95])
        label = {"step": case.step, "prediction": case.name, "first_order_exact": case.exact}
        rows.append(label | {"order": median, "order_5%": low, "order_95%": high})
        for eta, error, agreement, share in zip(
            STEP_SIZES, errors, agreements, explained, strict=True
        ):
            curves.append(
                label
                | {"step_size": eta, "median_error": np.median(error)}
                | {"sign_agreement": agreement.estimate, "low": agreement.low}
                | {"high": agreement.high, "r_squared": share}
            )
    frame = pandas.DataFrame(curves)
    table = pandas.DataFrame(rows)
    for eta in (1e-4, 0.01, 0.1, 1.0):
        at = frame[np.isclose(frame["step_size"], eta)]
        table[f"sign@{eta:g}"] = at["sign_agreement"].to_numpy()
    return Orders(table, frame)


def _slopes(errors: Floats) -> Floats:
    """Return the regression slope of log error on log η: (K, N, M) -> (N M,)."""
    x = np.log(STEP_SIZES[: len(errors)])
    y = np.log(np.maximum(errors, np.finfo(float).tiny)).reshape(len(errors), -1)
    return np.asarray((x - x.mean()) @ y / np.sum((x - x.mean()) ** 2))


def _explained(residual: Floats, predicted: Floats | float) -> float:
    """Return R² about zero of a prediction without free parameters."""
    return float(1 - np.sum((residual - predicted) ** 2) / np.sum(residual**2))


def margins(problems: Problems) -> pandas.DataFrame:
    """Measure how often the tilt moves an objective the way its covariance says, by margin.

    Returns:
        A row per ``margin`` (normalised covariance, set exactly) and ``step_size``:
        ``sign_agreement`` of η cov, and ``with_kappa``, that of the second-order prediction.
    """
    rows = []
    for margin in MARGINS:
        own = with_margin(problems, margin)
        policy, scores = own.policy, own.scores
        second = third_moment(policy, own.rewards, scores)
        for eta in STEP_SIZES:
            true = change(policy, own.rewards, scores, eta)
            curved = eta * margin + eta**2 / 2 * second
            rows.append(
                {"margin": margin, "step_size": eta, "sign_agreement": np.mean(true > 0)}
                | {"with_kappa": np.mean(np.sign(true) == np.sign(curved))}
            )
    return pandas.DataFrame(rows)


def disagreements(count: int, generator: np.random.Generator) -> pandas.DataFrame:
    """Measure how often a rule's first-order change has another sign than the covariance.

    Returns:
        A row per ``step`` and ``setting`` (the policy's sharpness, or the number of features):
        ``share`` of pairs of problem and objective, with its 95% interval over problems, and
        ``share_near_zero``, that of the pairs whose normalised covariance is within ±0.1.
    """
    rows = []

    def add(step: str, axis: str, setting: float, problems: Problems, direction: Floats) -> None:
        policy, rewards = problems.policy, problems.rewards
        own = covariance(policy, rewards, direction)
        law = covariance(policy, rewards, problems.scores)
        differs, near = np.sign(own) != np.sign(law), np.abs(law) < NEAR_ZERO
        share = mean_interval(differs.mean(axis=1))
        values = {"share": share.estimate, "low": share.low, "high": share.high}
        values["share_near_zero"] = float(differs[near].mean()) if near.any() else np.nan
        rows.append({"step": step, "axis": axis, "setting": setting} | values)

    for sharpness in SHARPNESS:
        problems = random_problems(count, generator, sharpness=sharpness)
        policy, scores = problems.policy, problems.scores
        add("vanilla gradient", "sharpness", sharpness, problems, vanilla_gradient(policy, scores))
        add("Adam", "sharpness", sharpness, problems, adam(gradient(policy, scores)))
    problems = random_problems(count, generator)
    for number in FEATURES:
        features = generator.normal(size=(*problems.scores.shape, number))
        direction = log_linear_natural_gradient(problems.policy, features, problems.scores)
        add("natural gradient, log-linear", "features", number, problems, direction)
    return pandas.DataFrame(rows)


def clipping(count: int, generator: np.random.Generator) -> pandas.DataFrame:
    """Measure what clipping does to two estimates of a small surrogate step's change.

    Returns:
        A row per ``prediction`` and class of clipped fraction: the class's mean
        ``clipped_fraction`` (share of the old policy's completions), number of ``pairs`` of problem
        and objective, ``disagreement`` (share whose true change has another sign), ``distortion``
        (median |prediction - truth| over the median |truth|).
    """
    parts = []
    for size in DRIFTS:
        problems = random_problems(count, generator)
        policy = drifted(problems, size, generator)
        fraction = clipped_surrogate(
            problems.policy, policy, problems.scores, clip_low=CLIP, clip_high=CLIP
        ).clipped
        for case in _clipped_predictions(problems, policy):
            true = change(policy, problems.rewards, case.direction, SMALL_STEP) / SMALL_STEP
            part = pandas.DataFrame({"true": true.ravel(), "predicted": case.slope.ravel()})
            part["prediction"] = case.name
            part["fraction"] = np.repeat(fraction, true.shape[1])
            parts.append(part)
    every = pandas.concat(parts)
    every["class"] = pandas.cut(every["fraction"], CLIPPED_EDGES, labels=False)
    rows = []
    for (name, _), pairs in every.dropna().groupby(["prediction", "class"], sort=False):
        off = (pairs["predicted"] - pairs["true"]).abs().median()
        differs = np.sign(pairs["predicted"]) != np.sign(pairs["true"])
        rows.append(
            {"prediction": name, "clipped_fraction": pairs["fraction"].mean(), "pairs": len(pairs)}
            | {"disagreement": differs.mean(), "distortion": off / pairs["true"].abs().median()}
        )
    frame = pandas.DataFrame(rows)
    return frame.sort_values(["prediction", "clipped_fraction"], ignore_index=True)
