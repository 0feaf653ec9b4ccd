"""Compare the covariance law with the truth, in tidy tables.

Each function draws its own random problems, enumerates them, and returns a table whose columns its
docstring names. Objectives have unit variance, and step sizes count in standard deviations of the
score.
"""

from typing import NamedTuple

import numpy as np
import pandas

from benchmark.diagnosis.exact.predictions import CLIP, clipped_predictions, drifted, predictions
from benchmark.diagnosis.exact.problems import (
    Floats,
    Problems,
    change,
    covariance,
    gradient,
    random_problems,
    third_moment,
    with_margin,
)
from benchmark.diagnosis.exact.steps import (
    adam,
    clipped_surrogate,
    log_linear_natural_gradient,
    vanilla_gradient,
)
from benchmark.interference.intervals import mean_interval

STEP_SIZES = np.logspace(-5, 1, 25)  # four a decade
FITTED = 0.1  # orders are fitted on the four decades up to here
MARGINS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.9)
SHARPNESS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
FEATURES = (1, 2, 4, 8, 16, 24, 28)  # 28 = 4 prompts x (8 - 1) completions: all policies
DRIFTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 2.5)
CLIPPED_EDGES = (-1.0, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
NEAR_ZERO = 0.1  # a smaller margin is called near zero
ROUNDING = 1e-12
SMALL_STEP = 1e-4  # first order: far below every margin that matters


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
            curve = {
                **label,
                "step_size": eta,
                "median_error": np.median(error),
                "sign_agreement": agreement.estimate,
                "low": agreement.low,
                "high": agreement.high,
                "r_squared": share,
            }
            curves.append(curve)
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
            row = {
                "margin": margin,
                "step_size": eta,
                "sign_agreement": np.mean(true > 0),
                "with_kappa": np.mean(np.sign(true) == np.sign(curved)),
            }
            rows.append(row)
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
        row = {
            "step": step,
            "axis": axis,
            "setting": setting,
            "share": share.estimate,
            "low": share.low,
            "high": share.high,
            "share_near_zero": float(differs[near].mean()) if near.any() else np.nan,
        }
        rows.append(row)

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
    """Measure what clipping does to three predictions of a small surrogate step's change.

    Returns:
        A row per ``prediction`` and class of clipped fraction: the class's mean
        ``clipped_fraction`` (share of the old policy's completions), number of ``pairs`` of problem
        and objective, ``disagreement`` (share whose true change has another sign, with its 95%
        interval over problems, ``low`` to ``high``), ``distortion`` (median |prediction - truth|
        over the median |truth|). Problems with everything clipped are left out: nothing moves.
    """
    parts = []
    for size in DRIFTS:
        problems = random_problems(count, generator)
        policy = drifted(problems, size, generator)
        fraction = clipped_surrogate(
            problems.policy, policy, problems.scores, clip_low=CLIP, clip_high=CLIP
        ).clipped
        for case in clipped_predictions(problems, policy):
            true = change(policy, problems.rewards, case.direction, SMALL_STEP) / SMALL_STEP
            part = pandas.DataFrame({"true": true.ravel(), "predicted": case.slope.ravel()})
            part["prediction"] = case.name
            part["fraction"] = np.repeat(fraction, true.shape[1])
            parts.append(part)
    every = pandas.concat(parts)  # a problem's objectives stand together
    objectives = problems.rewards.shape[-1]
    every = every[every["fraction"] < 1 - ROUNDING].copy()
    every["class"] = pandas.cut(every["fraction"], CLIPPED_EDGES, labels=False)
    rows = []
    for (name, _), pairs in every.groupby(["prediction", "class"], sort=False):
        off = (pairs["predicted"] - pairs["true"]).abs().median()
        differs = np.sign(pairs["predicted"]) != np.sign(pairs["true"])
        by_problem = differs.to_numpy().reshape(-1, objectives).mean(axis=1)
        share = mean_interval(by_problem)
        row = {
            "prediction": name,
            "clipped_fraction": pairs["fraction"].mean(),
            "pairs": len(pairs),
            "disagreement": share.estimate,
            "low": share.low,
            "high": share.high,
            "distortion": off / pairs["true"].abs().median(),
        }
        rows.append(row)
    frame = pandas.DataFrame(rows)
    return frame.sort_values(["prediction", "clipped_fraction"], ignore_index=True)
