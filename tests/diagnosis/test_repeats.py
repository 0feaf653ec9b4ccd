"""Steps that are one observation: equal up to rounding, and no further."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.diagnosis.law import records, row
from benchmark.diagnosis.repeats import alike, distinct_steps
from benchmark.diagnosis.samples import StepSample

GENERATOR = np.random.default_rng(0)
UPDATE, REALISED = GENERATOR.normal(size=(64, 4)), GENERATOR.normal(size=(64, 3))


def step(update: np.ndarray = UPDATE, realised: np.ndarray = REALISED) -> StepSample:
    changes = {1.0: realised, 2.0: 2 * realised}
    return StepSample(
        {("update", 1.0): update}, np.zeros((1, 1, 1)), changes, dict.fromkeys(changes, 0.0)
    )


def rounded(values: np.ndarray, by: float) -> np.ndarray:
    """Values that differ by up to a share of the largest."""
    return values + by * np.abs(values).max() * GENERATOR.uniform(-1, 1, values.shape)


def test_steps_that_differ_by_rounding_count_once() -> None:
    first, other = step(), step(np.ones((64, 4)))
    steps = [("linear", first), ("ctwa", step(rounded(UPDATE, 3e-6))), ("mgda", other)]
    kept, repeated = distinct_steps(steps)
    assert [cell for cell, _ in kept] == ["linear", "mgda"]
    assert kept[0][1] is first
    assert repeated == 1


def test_a_step_that_two_algorithms_make_counts_once() -> None:
    other = step(realised=REALISED + 1)
    kept, repeated = distinct_steps([("linear", step()), ("ctwa", step()), ("ctwa", other)])
    assert [cell for cell, _ in kept] == ["linear", "ctwa"]
    assert repeated == 1
    found = row(records(kept, "update"))
    assert (found["records"], found["cells"]) == (12, 2)


def test_bit_equal_and_rounded_repeats_add_up() -> None:
    steps = [("a", step()), ("b", step()), ("c", step(rounded(UPDATE, 3e-6)))]
    assert distinct_steps(steps)[1] == 2


@pytest.mark.parametrize(
    "other",
    [
        step(rounded(UPDATE, 1e-2)),
        step(realised=rounded(REALISED, 1e-2)),
        step(UPDATE[:, [1, 0, 2, 3]]),
        step(UPDATE[:32]),
        replace(step(), realised={1.0: REALISED}),
    ],
    ids=["update", "change", "objectives swapped", "fewer prompts", "fewer multiples"],
)
def test_steps_that_differ_by_more_count_twice(other: StepSample) -> None:
    assert not alike(step(), other)
    assert distinct_steps([("a", step()), ("b", other)])[1] == 0


def test_no_steps_give_none() -> None:
    assert distinct_steps([]) == ([], 0)
