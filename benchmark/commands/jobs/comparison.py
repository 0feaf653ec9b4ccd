"""Compare a final with an initial policy: the metrics of a cell's result."""

from collections.abc import Sequence

import numpy as np


def comparison(
    final: np.ndarray, initial: np.ndarray, weights: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Compare a final with the initial policy on the same problems.

    Args:
        final: (P, n, M) rewards of the final policy.
        initial: (P, n', M) rewards of the initial policy.
        weights: (M,) preference weights of the scalarized gain.
        names: The M objectives.

    Returns:
        For each objective j: ``test/j``, ``test/j/initial``, ``test/j/delta`` and the standard
        error ``test/j/delta_se`` of that difference, paired over problems; the same delta for the
        weighted sum as ``test/score``.
    """
    ours, theirs = final.mean(axis=1), initial.mean(axis=1)  # (P, M)
    values = dict(zip(names, zip(ours.T, theirs.T, strict=True), strict=True))
    metrics: dict[str, float] = {}
    for name, (after, before) in values.items():
        metrics |= {f"test/{name}": after.mean(), f"test/{name}/initial": before.mean()}
        metrics |= _paired(f"test/{name}", after - before)
    metrics |= _paired("test/score", (ours - theirs) @ weights)
    return {key: float(value) for key, value in metrics.items()}


def _paired(prefix: str, differences: np.ndarray) -> dict[str, float]:
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.nan
    return {f"{prefix}/delta": differences.mean(), f"{prefix}/delta_se": error}
