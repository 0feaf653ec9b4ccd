"""Find the diagnosed steps that are one observation: what was measured of them differs by rounding.

Methods that begin with the same weights make the same first step, and may reach it by other sums of
the same numbers, which float32 rounds otherwise.
"""

from collections.abc import Iterable

import numpy as np

from benchmark.diagnosis.samples import UPDATE, Floats, StepSample

# Times the largest value of an array. In the study `quick`, the derivatives along equal steps
# differ by 3e-6 of it at most, along those of single-accuracy and lagrangian, which begins with
# nearly all weight on accuracy, by 1e-3 at least.
ROUNDING = 1e-4


def distinct_steps(
    samples: Iterable[tuple[str, StepSample]],
) -> tuple[list[tuple[str, StepSample]], int]:
    """Return the measured steps, each once up to rounding, and the number that were left out.

    ``samples`` are pairs of a cell and a step of it; the first cell keeps what others repeat.
    """
    once, repeated = _distinct_bits(samples)
    signals = np.array([sample.predictors[UPDATE, 1.0][:, -1].mean() for _, sample in once])
    reach = ROUNDING * np.array([np.abs(s.predictors[UPDATE, 1.0]).max() for _, s in once])
    kept: list[int] = []
    for place, (_, sample) in enumerate(once):
        near = np.abs(signals[kept] - signals[place]) <= reach[place]  # a mean differs no more
        if not any(alike(sample, once[kept[k]][1]) for k in np.flatnonzero(near)):
            kept.append(place)
    return [once[place] for place in kept], repeated + len(once) - len(kept)


def _distinct_bits(
    samples: Iterable[tuple[str, StepSample]],
) -> tuple[list[tuple[str, StepSample]], int]:
    """Return the steps, each once where all that was measured is equal bit for bit."""
    seen: set[bytes] = set()
    kept, repeated = [], 0
    for cell, sample in samples:
        print_ = b"".join(np.ascontiguousarray(each).tobytes() for each in _effects(sample))
        if print_ in seen:
            repeated += 1
            continue
        seen.add(print_)
        kept.append((cell, sample))
    return kept, repeated


def alike(one: StepSample, other: StepSample) -> bool:
    """Say whether two steps had the same effect up to rounding, prompt by prompt.

    Compared are the derivatives along the update, and the changes at each multiple of the step.
    """
    return list(one.realised) == list(other.realised) and all(
        _alike(*pair) for pair in zip(_effects(one), _effects(other), strict=True)
    )


def _effects(sample: StepSample) -> list[Floats]:
    return [sample.predictors[UPDATE, 1.0], *sample.realised.values()]


def _alike(one: Floats, other: Floats) -> bool:
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max() <= ROUNDING * np.abs(one).max())
