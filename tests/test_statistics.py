import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.statistics import (
    Interval,
    half_width,
    interquartile_mean,
    mean_interval,
    paired_interval,
    probability_of_improvement,
    stratified_bootstrap,
)

VALUES = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


def test_the_mean_interval_is_student_s() -> None:
    # Mean 2, standard deviation 1, standard error 1/sqrt(3), t(0.975, 2 degrees) = 4.302653.
    interval = mean_interval([1.0, 2.0, 3.0])
    assert interval.estimate == 2
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert interval.low == pytest.approx(4 - interval.high)


def test_one_seed_gives_a_mean_without_bounds() -> None:
    interval = mean_interval([0.25])
    assert interval.estimate == 0.25
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_many_pairs_give_the_normal_interval() -> None:
    interval = paired_interval(0.1, 0.02, 1_000_000)
    assert interval == pytest.approx((0.1, 0.1 - 1.96 * 0.02, 0.1 + 1.96 * 0.02), abs=1e-5)


def test_a_higher_level_gives_a_wider_interval() -> None:
    assert half_width(1.0, 10, level=0.99) > half_width(1.0, 10, level=0.9)
    assert half_width(1.0, np.inf, level=0.9) == pytest.approx(1.644854)


def test_the_interquartile_mean_leaves_out_the_outer_quarters() -> None:
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -100]) == 3.5
    assert interquartile_mean([1, 2, 9]) == 4  # a quarter of three is less than one value
    columns = [[1, 0], [2, 0], [4, 8], [9, 8]]
    np.testing.assert_array_equal(interquartile_mean(columns, axis=0), [3, 4])
    assert interquartile_mean(columns) == 3.75  # 0 0 (1 2 4 8) 8 9


def test_the_bootstrap_draws_seeds_within_their_stratum_only() -> None:
    generator = np.random.default_rng(0)
    interval = stratified_bootstrap([[1.0, 1.0], [5.0, 5.0, 5.0]], np.mean, generator)
    assert interval == pytest.approx((3.4, 3.4, 3.4))  # nothing varies within a stratum


def test_the_bootstrap_of_two_seeds_is_what_can_be_listed_by_hand() -> None:
    # Means of two draws from {0, 1}: 0 in a quarter of cases, 1/2 in half, 1 in a quarter.
    generator = np.random.default_rng(0)
    assert stratified_bootstrap([[0.0, 1.0]], np.mean, generator) == (0.5, 0.0, 1.0)
    narrow = stratified_bootstrap([[0.0, 1.0]], np.mean, generator, level=0.4)
    assert narrow == (0.5, 0.5, 0.5)


def test_the_bootstrap_depends_on_its_generator_alone() -> None:
    def interval(seed: int) -> Interval:
        generator = np.random.default_rng(seed)
        return stratified_bootstrap(
            [[0.1, 0.42, 0.3], [0.95, 0.2, 0.5]], np.mean, generator, resamples=20
        )

    np.random.seed(1)
    one = interval(7)
    np.random.seed(2)
    assert interval(7) == one
    assert interval(8) != one


@given(strata=st.lists(VALUES, min_size=1, max_size=3))
def test_bootstrap_bounds_stay_within_the_values(strata: list[list[float]]) -> None:
    generator = np.random.default_rng(0)
    interval = stratified_bootstrap(strata, np.mean, generator, resamples=50)
    values = np.concatenate([np.asarray(stratum) for stratum in strata])
    assert values.min() - 1e-9 <= interval.low <= interval.high <= values.max() + 1e-9


def test_improvement_is_paired_by_seed_and_a_tie_counts_half() -> None:
    assert probability_of_improvement([1, 2, 3, 4], [0, 2, 5, 3]) == 0.625
    assert probability_of_improvement([0.2, 0.3], [0.1, 0.2]) == 1  # unpaired it would be less
    assert probability_of_improvement([[1, 1], [0, 0]], [[0, 0], [1, 1]]) == 0.5
