"""The published conformance suite over every method of the registry."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from required import REQUIRED

from benchmark.scalarizers import SCALARIZERS, GradientScalarizer
from benchmark.testing import PROPERTIES, check_scalarizer, make_batch, maker
from benchmark.testing.batches import complete

# Numbers of objectives, where not any number will do or the solver is slow. The fast lane takes
# the first alone.
OBJECTIVES: dict[str, Sequence[int]] = {
    "torchjd:CAGrad": (3, 1),
    "torchjd:FairGrad": (3, 1),
    "torchjd:Krum": (3, 5),
    "torchjd:NashMTL": (2, 1, 3),
}

METHODS = sorted(SCALARIZERS)
every_method = pytest.mark.parametrize("name", METHODS)


def numbers(name: str) -> Sequence[int]:
    """Return with how many objectives to check; with fewer numbers where a solver is at work."""
    solves = issubclass(SCALARIZERS[name], GradientScalarizer)
    return OBJECTIVES.get(name, (2, 1, 4) if solves else (2, 1, 3, 8))


@pytest.mark.parametrize(
    ("name", "objectives"),
    [
        pytest.param(name, count, marks=[pytest.mark.slow] if place else [])
        for name in METHODS
        for place, count in enumerate(numbers(name))
    ],
)
def test_method_keeps_the_contract(name: str, objectives: int) -> None:
    check_scalarizer(name, parameters=REQUIRED.get(name), objectives=[objectives])


@every_method
@settings(max_examples=10, deadline=None)
@given(
    data=st.data(),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    magnitude=st.floats(1e-6, 1e6),
    seed=st.integers(0, 1000),
)
def test_signals_are_finite_at_any_scale_of_rewards(
    name: str, data: st.DataObject, sizes: list[int], magnitude: float, seed: int
) -> None:
    objectives = data.draw(st.sampled_from(numbers(name)))
    batch = make_batch(objectives, sizes, seed, missing=0.2)
    scaled = complete(magnitude * (batch.rewards - 1), batch.groups, seed)  # 1 is the upper bound
    make = maker(name, objectives, REQUIRED.get(name))
    PROPERTIES["gives finite signals of the right shape"].check(make, [scaled] * 3)
