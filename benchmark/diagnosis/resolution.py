"""Say how far means over prompts are known: their errors, and whether they differ from 0."""

import numpy as np
from numpy.typing import NDArray

from benchmark.diagnosis.samples import Floats

CERTAIN = 1.96  # standard errors from 0 at which a quantity counts as resolved


def resampled_means(values: Floats, generator: np.random.Generator, resamples: int) -> Floats:
    """Return means over prompts: of the sample, and of prompts drawn again, (1 + R, ...)."""
    count = len(values)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples) / count
    weights = np.vstack([np.full(count, 1 / count), drawn])
    return np.asarray(np.tensordot(weights, values, axes=1))


def standard_error(values: Floats) -> Floats:
    """Return the standard error of the mean over prompts: (P, ...) -> (...)."""
    return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def certain(values: Floats) -> NDArray[np.bool_]:
    """Return whether means over prompts differ from 0 by their error: (P, ...) -> (...)."""
    return np.asarray(np.abs(values.mean(axis=0)) > CERTAIN * standard_error(values))
