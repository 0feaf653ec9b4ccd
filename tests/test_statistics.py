import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark import intervals, statistics
from benchmark.errors import CrosstalkError
from benchmark.statistics import (
    Interval,
    bootstrap_intervals,
    interquartile_mean,
    mean_interval,
    probability_of_improvement,
    stratified_bootstrap,
    stratified_mean_interval,
)

NAN = float("nan")
VALUES = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


# --- the interquartile mean ------------------------------------------------------------------


def test_the_interquartile_mean_leaves_out_the_outer_quarters() -> None:
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -100]) == 3.5
    assert interquartile_mean([1, 2, 9]) == 4  # a quarter of three is less than one value
    columns = [[1, 0], [2, 0], [4, 8], [9, 8]]
    np.testing.assert_array_equal(interquartile_mean(columns, axis=0), [3, 4])
    assert interquartile_mean(columns) == 3.75  # 0 0 (1 2 4 8) 8 9


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_the_interquartile_mean_is_scipy_s_trimmed_mean(values: list[float]) -> None:
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_a_missing_value_is_not_left_out_with_the_highest() -> None:
    assert np.isnan(interquartile_mean([1, 2, 3, NAN]))
    found = interquartile_mean([[1, 2, 3, NAN], [1, 2, 3, 4]], axis=1)
    np.testing.assert_array_equal(found, [NAN, 2.5])


def test_the_interquartile_mean_of_nothing_is_an_error() -> None:
    with pytest.raises(CrosstalkError, match="at least one value"):
        interquartile_mean([])


# --- the bootstrap ---------------------------------------------------------------------------


def test_the_bootstrap_draws_seeds_within_their_stratum_only() -> None:
    interval = stratified_bootstrap([[1.0, 1.0], [5.0, 5.0, 5.0]], np.mean, generator())
    assert interval == pytest.approx((3.4, 3.4, 3.4))  # nothing varies within a stratum


def test_the_bootstrap_of_two_seeds_is_what_can_be_listed_by_hand() -> None:
    # {0, 1} moves to 1/2 ± 1/sqrt(2); means of two draws: either with 1/4, 1/2 with 1/2, so their
    # root mean square from 1/2 is 1/2. t(0.975, 1 degree) = 12.7062.
    interval = stratified_bootstrap([[0.0, 1.0]], np.mean, generator(), resamples=100_000)
    assert interval.estimate == 0.5
    assert interval.high - 0.5 == pytest.approx(12.7062 / 2, rel=0.01)
    assert interval.low == pytest.approx(1 - interval.high)
    narrow = stratified_bootstrap([[0.0, 1.0]], np.mean, generator(), level=0.5)
    assert narrow.high - 0.5 == pytest.approx(1 / 2, rel=0.05)  # t(0.75, 1 degree) = 1


@pytest.mark.parametrize(
    "strata",
    [
        [[0.1, 0.5, 0.2]],
        [[0.1, 0.5, 0.2], [0.9, 0.95, 0.7], [0.3, 0.3, 0.4]],
        [[[0.1, 0.2], [0.4, 0.1], [0.3, 0.9]], [[0.1, 0.3], [0.2, 0.6], [0.8, 0.9]]],
    ],
)
def test_the_bootstrap_of_a_mean_is_student_s_interval(strata: list[object]) -> None:
    expected = stratified_mean_interval(strata)
    found = stratified_bootstrap(strata, np.mean, generator(), resamples=100_000)
    assert found == pytest.approx(expected, abs=0.01 * (expected.high - expected.low))


def test_values_of_a_seed_are_drawn_together() -> None:
    # What one objective gains the other loses: every seed has the mean 1/2.
    rows = [[0.0, 1.0], [1.0, 0.0], [0.3, 0.7]]
    assert stratified_bootstrap([rows], np.mean, generator()) == pytest.approx((0.5, 0.5, 0.5))


def test_the_bootstrap_depends_on_its_generator_alone() -> None:
    def interval(seed: int) -> Interval:
        drawn = np.random.default_rng(seed)
        return stratified_bootstrap(
            [[0.1, 0.42, 0.3], [0.95, 0.2, 0.5]], np.mean, drawn, resamples=20
        )

    np.random.seed(1)
    one = interval(7)
    np.random.seed(2)
    assert interval(7) == one
    assert interval(8) != one


def test_cells_share_their_draws_and_equal_what_each_gives_alone() -> None:
    cells = np.random.default_rng(1).random((2, 4, 3, 2))  # (stratum, cell, seed, value)
    found = bootstrap_intervals(list(cells), interquartile_mean, generator(), resamples=50)
    assert found.estimate.shape == (4,)
    for cell in range(4):
        alone = stratified_bootstrap(
            list(cells[:, cell]), interquartile_mean, generator(), resamples=50
        )
        assert alone == (found.estimate[cell], found.low[cell], found.high[cell])


@given(strata=st.lists(VALUES, min_size=1, max_size=3))
def test_the_bounds_enclose_the_estimate(strata: list[list[float]]) -> None:
    interval = stratified_bootstrap(strata, interquartile_mean, generator(), resamples=50)
    values = np.concatenate([np.asarray(stratum) for stratum in strata])
    assert interval.estimate == interquartile_mean(values)
    assert interval.low <= interval.estimate <= interval.high


def test_one_seed_in_a_stratum_gives_no_bounds() -> None:
    interval = stratified_bootstrap([[0.1, 0.3], [0.5]], np.mean, generator())
    assert interval.estimate == pytest.approx(0.3)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_a_missing_value_leaves_its_own_cell_unknown() -> None:
    cells = np.array([[[0.1], [NAN], [0.2]], [[0.1], [0.4], [0.2]]])
    found = bootstrap_intervals([cells], interquartile_mean, generator())
    np.testing.assert_array_equal(np.isnan(found.low), [True, False])
    assert np.isnan(found.estimate[0])


def test_strata_without_seeds_are_refused() -> None:
    with pytest.raises(CrosstalkError, match="at least one stratum"):
        stratified_bootstrap([], np.mean, generator())
    with pytest.raises(CrosstalkError, match=r"shape \(0,\)"):
        stratified_bootstrap([[0.1, 0.2], []], np.mean, generator())
    with pytest.raises(CrosstalkError, match=r"\(2, 3, 1\), \(1, 3, 1\).*cells alike"):
        bootstrap_intervals([np.zeros((2, 3, 1)), np.zeros((1, 3, 1))], np.mean, generator())


# --- improvement -----------------------------------------------------------------------------


def test_improvement_is_paired_by_seed_and_a_tie_counts_half() -> None:
    assert probability_of_improvement([1, 2, 3, 4], [0, 2, 5, 3]) == 0.625
    assert probability_of_improvement([0.2, 0.3], [0.1, 0.2]) == 1  # unpaired it would be less
    assert probability_of_improvement([[1, 1], [0, 0]], [[0, 0], [1, 1]]) == 0.5


def test_a_missing_value_is_neither_won_nor_lost() -> None:
    assert math.isnan(probability_of_improvement([1, NAN], [0, 0]))


def test_improvement_needs_a_pair_for_each_seed() -> None:
    with pytest.raises(CrosstalkError, match=r"shape \(2,\) against a baseline of shape \(3,\)"):
        probability_of_improvement([1, 2], [1, 2, 3])
    with pytest.raises(CrosstalkError, match="not empty"):
        probability_of_improvement([], [])


def test_intervals_are_at_hand_here_too() -> None:
    assert statistics.mean_interval is intervals.mean_interval
    assert mean_interval([1.0, 2.0]).estimate == 1.5
