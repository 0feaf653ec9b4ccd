import math
from dataclasses import replace

import properties
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.scalarizers import SCALARIZERS

METHODS = sorted(SCALARIZERS)
UNEVEN = [1, 4, 2, 7, 1, 3]

every_method = pytest.mark.parametrize("name", METHODS)
every_count = pytest.mark.parametrize("objectives", range(1, 9))


@every_method
@every_count
def test_signals_are_finite(name: str, objectives: int) -> None:
    make = properties.maker(name, objectives)
    for sizes in ([4, 4, 4], UNEVEN, [1, 1, 1], [1], [2]):
        properties.assert_finite(make, properties.make_batch(objectives, sizes))
        properties.assert_finite(make, properties.make_batch(objectives, sizes, missing=0.4))


@every_method
@every_count
def test_signals_stay_finite_on_constant_and_inapplicable_rewards(
    name: str, objectives: int
) -> None:
    make = properties.maker(name, objectives)
    batch = properties.make_batch(objectives, UNEVEN)
    for constant in (0.0, 1.0, -3.0, math.nan):
        rewards = torch.full_like(batch.rewards, constant)
        properties.assert_finite(make, replace(batch, rewards=rewards))
        rewards = batch.rewards.clone()
        rewards[:, 0] = constant
        properties.assert_finite(make, replace(batch, rewards=rewards))
    weightless = torch.zeros_like(batch.rewards[:, 0])
    properties.assert_finite(make, replace(batch, completion_weights=weightless))
    properties.assert_finite(make, replace(batch, completion_weights=weightless * math.nan))


@every_method
@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    objectives=st.integers(1, 8),
    magnitude=st.floats(1e-6, 1e6),
    seed=st.integers(0, 1000),
)
def test_signals_are_finite_at_any_scale_of_rewards(
    name: str, sizes: list[int], objectives: int, magnitude: float, seed: int
) -> None:
    batch = properties.make_batch(objectives, sizes, seed, missing=0.2)
    scaled = replace(batch, rewards=magnitude * (batch.rewards - 0.5))
    properties.assert_finite(properties.maker(name, objectives), scaled)


@every_method
@every_count
def test_order_of_completions_does_not_matter(name: str, objectives: int) -> None:
    make = properties.maker(name, objectives)
    for missing in (0.0, 0.3):
        batch = properties.make_batch(objectives, UNEVEN, missing=missing)
        properties.assert_permutation_invariant(make, batch)


@every_method
def test_result_is_deterministic_and_inputs_are_kept(name: str) -> None:
    batch = properties.make_batch(3, UNEVEN, missing=0.3)
    properties.assert_deterministic(properties.maker(name, 3), batch)


@every_method
@every_count
def test_state_round_trips_through_a_file(name: str, objectives: int) -> None:
    batches = [properties.make_batch(objectives, UNEVEN, seed) for seed in range(4)]
    make = properties.maker(name, objectives)
    properties.assert_state_round_trips(make, batches)
    properties.assert_state_dict_is_a_copy(make, batches)


@every_method
@pytest.mark.parametrize("objectives", [1, 3])
def test_foreign_state_is_refused(name: str, objectives: int) -> None:
    properties.assert_refuses_foreign_states(properties.maker(name, objectives))


@every_method
def test_metrics_and_source_are_declared(name: str) -> None:
    make = properties.maker(name, 3)
    properties.assert_metrics_name_objectives(make, properties.make_batch(3, UNEVEN))
    properties.assert_declares_its_source(make)
