"""Conflicts between the gradients of objectives, from their Gramians or cosines and norms.

Pure functions; ``...`` stands for any leading axes, such as training steps or runs.
"""

import numpy as np
from numpy.typing import ArrayLike

from benchmark.common.errors import CrosstalkError
from benchmark.interference.intervals import Floats


def gradient_cosines(gramian: ArrayLike) -> Floats:
    """Return cos(g_i, g_j), NaN where one of them is zero: (..., i, j) -> (..., i, j).

    Args:
        gramian: ⟨g_i, g_j⟩, the inner products of the objectives' gradients, (..., i, j).
    """
    norms = gradient_norms(gramian)
    scale = norms[..., :, None] * norms[..., None, :]
    cosines = np.asarray(gramian, dtype=float) / np.where(scale > 0, scale, np.nan)
    return np.asarray(np.clip(cosines, -1, 1))


def gradient_norms(gramian: ArrayLike) -> Floats:
    """Return ‖g_i‖ from the Gramian ⟨g_i, g_j⟩: (..., i, j) -> (..., i)."""
    diagonal = np.diagonal(_square(gramian), axis1=-2, axis2=-1)
    return np.asarray(np.sqrt(diagonal))


def conflict_rate(cosines: ArrayLike) -> float:
    """Return how often two objectives' gradients conflict, P(cos(g_i, g_j) < 0), i ≠ j.

    The share of pairs of objectives, over all leading axes. Pairs of unknown cosine (NaN), where
    one gradient is zero, are left out; NaN if no pair remains.

    Args:
        cosines: (..., i, j), symmetric.

    Raises:
        CrosstalkError: The last two axes differ in length.
    """
    pairs = _pairs(cosines)
    known = pairs[~np.isnan(pairs)]
    return float(np.mean(known < 0)) if known.size else float("nan")


def magnitude_similarity(norms: ArrayLike) -> Floats:
    """Return Φ_ij = 2 ‖g_i‖ ‖g_j‖ / (‖g_i‖² + ‖g_j‖²): (..., objective) -> (..., i, j).

    1 for gradients of one length, towards 0 the more one dominates; NaN where both are zero. Yu et
    al., *Gradient Surgery for Multi-Task Learning*, https://arxiv.org/abs/2001.06782, definition 2.

    Args:
        norms: ‖g_i‖, (..., objective).
    """
    norms = np.asarray(norms, dtype=float)
    one, other = norms[..., :, None], norms[..., None, :]
    larger, smaller = np.maximum(one, other), np.minimum(one, other)
    ratio = smaller / np.where(larger > 0, larger, np.nan)  # so that no square runs over
    return np.asarray(2 * ratio / (1 + ratio**2))


def mean_magnitude_similarity(norms: ArrayLike) -> float:
    """Return the mean of Φ_ij over pairs i ≠ j and leading axes; NaN if there is none.

    Args:
        norms: ‖g_i‖, (..., objective).
    """
    pairs = _pairs(magnitude_similarity(norms))
    known = pairs[~np.isnan(pairs)]
    return float(known.mean()) if known.size else float("nan")


def _pairs(matrix: ArrayLike) -> Floats:
    """Return the entries above the diagonal: (..., i, j) -> (..., pair)."""
    matrix = _square(matrix)
    rows, columns = np.triu_indices(matrix.shape[-1], k=1)
    return np.asarray(matrix[..., rows, columns])


def _square(matrix: ArrayLike) -> Floats:
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise CrosstalkError(f"a matrix has shape {matrix.shape}; allowed: (..., i, j), square")
    return matrix
