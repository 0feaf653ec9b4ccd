"""Compare a final with an initial policy: the metrics of a cell's result."""

from collections.abc import Sequence

import numpy as np

from benchmark.tracking import names as tracked
from benchmark.tracking.names import objective_metric


def comparison(
    final: np.ndarray, initial: np.ndarray, weights: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Compare the final policy's rewards (P, n, M) with the initial one's (P, n', M).

    Returns for each objective j ``test/j``, ``test/j/initial``, ``test/j/delta`` and the standard
    error ``test/j/delta_se`` of that difference, paired over problems; and the same delta of the
    sum weighted by ``weights`` (M,) as ``test/score``.
    """
    ours, theirs = final.mean(axis=1), initial.mean(axis=1)  # (P, M)
    metrics: dict[str, float] = {}
    for name, after, before in zip(names, ours.T, theirs.T, strict=True):
        metrics[objective_metric(tracked.TEST, name)] = after.mean()
        metrics[objective_metric(tracked.TEST, name, tracked.INITIAL)] = before.mean()
        metrics |= _paired(name, after - before)
    metrics |= _paired(tracked.SCORE, (ours - theirs) @ weights)
    return {key: float(value) for key, value in metrics.items()}


def _paired(name: str, differences: np.ndarray) -> dict[str, float]:
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.nan
    return {
        objective_metric(tracked.TEST, name, tracked.DELTA): differences.mean(),
        objective_metric(tracked.TEST, name, tracked.DELTA_SE): error,
    }
