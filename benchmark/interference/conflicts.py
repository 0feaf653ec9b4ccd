"""Measure conflicts between objectives' gradients, from their Gramians or cosines and norms.

Pure functions; ``...`` stands for any leading axes, such as training steps or runs.
"""

import numpy as np
from numpy.typing import ArrayLike

from benchmark.interference.intervals import Floats


def gradient_cosines(gramian: ArrayLike) -> Floats:
    """Return cos(g_i, g_j) from the Gramian ⟨g_i, g_j⟩: (..., i, j) -> (..., i, j).

    NaN where a squared norm is not positive: a gradient of zero, or one that an unbiased estimate
    of the Gramian does not tell from zero. Of such estimates a cosine can lie outside [-1, 1].
    """
    norms = gradient_norms(gramian)
    norms = np.where(norms > 0, norms, np.nan)
    scale = norms[..., :, None] * norms[..., None, :]
    return np.asarray(np.asarray(gramian, dtype=float) / scale)


def gradient_norms(gramian: ArrayLike) -> Floats:
    """Return ‖g_i‖ from the Gramian ⟨g_i, g_j⟩, NaN where ‖g_i‖² is negative: -> (..., i)."""
    squares = np.diagonal(_square(gramian), axis1=-2, axis2=-1)
    return np.asarray(np.sqrt(np.where(squares >= 0, squares, np.nan)))


def conflict_rate(cosines: ArrayLike) -> float:
    """Return how often two objectives' gradients conflict, P(cos(g_i, g_j) < 0), i ≠ j.

    The share of pairs of objectives, over all leading axes of symmetric cosines (..., i, j). Pairs
    of unknown cosine (NaN) are left out; NaN if no pair remains.
    """
    pairs = _pairs(cosines)
    known = pairs[~np.isnan(pairs)]
    return float(np.mean(known < 0)) if known.size else float("nan")


def magnitude_similarity(norms: ArrayLike) -> Floats:
    """Return Φ_ij = 2 ‖g_i‖ ‖g_j‖ / (‖g_i‖² + ‖g_j‖²): (..., objective) -> (..., i, j).

    1 for gradients of one length, towards 0 the more one dominates; NaN where both are zero. Yu et
    al., *Gradient Surgery for Multi-Task Learning*, https://arxiv.org/abs/2001.06782, definition 2.
    """
    norms = np.asarray(norms, dtype=float)
    one, other = norms[..., :, None], norms[..., None, :]
    larger, smaller = np.maximum(one, other), np.minimum(one, other)
    ratio = smaller / np.where(larger > 0, larger, np.nan)  # so that no square runs over
    return np.asarray(2 * ratio / (1 + ratio**2))


def mean_magnitude_similarity(norms: ArrayLike) -> float:
    """Return the mean of Φ_ij over pairs i ≠ j and leading axes; NaN if there is none."""
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
        raise ValueError(f"a matrix has shape {matrix.shape}; expected (..., i, j), square")
    return matrix
