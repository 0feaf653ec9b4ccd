import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.interference.statistics import interquartile_mean, probability_of_improvement

NAN = float("nan")


def test_the_interquartile_mean_by_hand() -> None:
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
    with pytest.raises(ValueError, match="at least one value"):
        interquartile_mean([])


def test_improvement_is_paired_and_ties_count_half() -> None:
    assert probability_of_improvement([1, 2, 3, 4], [0, 2, 5, 3]) == 0.625
    assert probability_of_improvement([0.2, 0.3], [0.1, 0.2]) == 1  # unpaired it would be less
    assert probability_of_improvement([[1, 1], [0, 0]], [[0, 0], [1, 1]]) == 0.5


def test_a_missing_value_is_neither_won_nor_lost() -> None:
    assert math.isnan(probability_of_improvement([1, NAN], [0, 0]))


def test_improvement_needs_a_pair_for_each_seed() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\) against a baseline of shape \(3,\)"):
        probability_of_improvement([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="not empty"):
        probability_of_improvement([], [])
