"""Compare a final with an initial policy: the metrics of a cell's result."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.common.errors import CrosstalkError
from benchmark.tracking import names as tracked
from benchmark.tracking.names import objective_metric


def comparison(
    final: np.ndarray, initial: np.ndarray, weights: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Compare the final policy's rewards (P, n, M) with the initial one's (P, n', M).

    NaN, where an objective does not apply to a completion, stays out of every mean; a problem with
    no number of an objective, under either policy, stays out of that objective's difference.

    Returns for each objective j ``test/j``, ``test/j/initial``, ``test/j/delta`` and the standard
    error ``test/j/delta_se`` of that difference, paired over problems; and the same delta of the
    sum weighted by ``weights`` (M,) as ``test/score``.
    """
    ours, theirs = applicable_mean(final, axis=1), applicable_mean(initial, axis=1)  # (P, M)
    metrics: dict[str, float] = {}
    for name, after, before in zip(names, ours.T, theirs.T, strict=True):
        metrics[objective_metric(tracked.TEST, name)] = applicable_mean(after)
        metrics[objective_metric(tracked.TEST, name, tracked.INITIAL)] = applicable_mean(before)
        if np.isnan(after - before).all():
            raise CrosstalkError(
                f"objective {name!r}: expected to apply to some test problem before and after "
                "training, got none or NaN for every one"
            )
        metrics |= _paired(name, after - before)
    changes = ours - theirs
    score = np.where(np.isnan(changes).all(axis=1), np.nan, np.nan_to_num(changes) @ weights)
    metrics |= _paired(tracked.SCORE, score)
    return {key: float(value) for key, value in metrics.items()}


def applicable_mean(values: np.ndarray, axis: int | tuple[int, ...] | None = None) -> Any:
    """Return the mean of the numbers among values, NaN where there is none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return np.nanmean(values, axis=axis)


def _paired(name: str, differences: np.ndarray) -> dict[str, float]:
    differences = differences[~np.isnan(differences)]
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.nan
    return {
        objective_metric(tracked.TEST, name, tracked.DELTA): applicable_mean(differences),
        objective_metric(tracked.TEST, name, tracked.DELTA_SE): error,
    }
