import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.interference.intervals import (
    Interval,
    change_half_width,
    half_width,
    mean_and_error,
    mean_interval,
    paired_interval,
    satterthwaite,
    stratified_change_interval,
    stratified_mean_interval,
)
from benchmark.interference.shares import proportion_interval

NAN = float("nan")
SEEDS = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=6)


def unbounded(interval: Interval) -> bool:
    return math.isnan(interval.low) and math.isnan(interval.high)


# --- means -----------------------------------------------------------------------------------


def test_the_mean_interval_is_student_s() -> None:
    # Mean 2, standard deviation 1, standard error 1/sqrt(3), t(0.975, 2 degrees) = 4.302653.
    interval = mean_interval([1.0, 2.0, 3.0])
    assert interval.estimate == 2
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert interval.low == pytest.approx(4 - interval.high)


def test_many_pairs_give_the_normal_interval() -> None:
    interval = paired_interval(0.1, 0.02, 1_000_000)
    assert interval == pytest.approx((0.1, 0.1 - 1.96 * 0.02, 0.1 + 1.96 * 0.02), abs=1e-5)


def test_a_higher_level_gives_a_wider_interval() -> None:
    assert half_width(1.0, 10, level=0.99) > half_width(1.0, 10, level=0.9)
    assert half_width(1.0, np.inf, level=0.9) == pytest.approx(1.644854)


def test_strata_share_degrees_of_freedom() -> None:
    # Two strata of variance 1 and 3 seeds: error sqrt((1/3 + 1/3) / 4), 4 degrees, t = 2.776445.
    interval = stratified_mean_interval([[1, 2, 3], [11, 12, 13]])
    assert interval.estimate == 7
    assert interval.high - 7 == pytest.approx(2.776445 * math.sqrt(1 / 6), rel=1e-6)


def test_two_strata_are_judged_as_by_welch() -> None:
    one, other = [0.1, 0.4, 0.3, 0.9], [0.5, 0.6, 0.52]
    welch = stats.ttest_ind(one, other, equal_var=False)
    _, error, freedom = mean_and_error([one, other])
    assert freedom == pytest.approx(welch.df)
    # Of a difference the error is twice that of the mean of the two.
    assert (np.mean(one) - np.mean(other)) / (2 * error) == pytest.approx(welch.statistic)


def test_each_stratum_counts_the_same() -> None:
    assert stratified_mean_interval([[0, 0], [1, 1, 1, 1]]).estimate == 0.5


def test_values_of_one_seed_are_one_observation() -> None:
    together = stratified_mean_interval([[[1, 3], [2, 6], [5, 7]]])
    assert together == mean_interval([2, 4, 6])


@given(strata=st.lists(SEEDS, min_size=1, max_size=4))
def test_degrees_of_freedom_are_bounded(strata: list[list[float]]) -> None:
    _, error, freedom = mean_and_error(strata)
    own = [len(stratum) - 1 for stratum in strata]
    assert min(own) - 1e-9 <= freedom <= sum(own) + 1e-9
    assert error >= 0


def test_satterthwaite_by_hand() -> None:
    # (1 + 3)^2 / (1/2 + 9/4) = 16 / 2.75.
    assert satterthwaite(np.array([1.0, 3.0]), [3, 5]) == pytest.approx(16 / 2.75)
    assert satterthwaite(np.array([0.0, 0.0]), [3, 5]) == 6


# --- what seeds share -----------------------------------------------------------------------


def test_no_number_of_seeds_makes_the_shared_error_go_away() -> None:
    # The seeds all but agree, yet every one was compared with the same initial policy.
    many = change_half_width(0.0001, 0.02, 1000, 257)
    assert many == pytest.approx(stats.t.ppf(0.975, 256) * 0.02, rel=0.01)
    assert change_half_width(0.0, 0.02, 2, 257) == pytest.approx(many, rel=1e-3)


def test_the_two_errors_join_by_cochran_s_quantile() -> None:
    between, within = 0.03**2 / 3, 0.02**2
    quantiles = stats.t.ppf(0.975, [2, 256])
    joint = (between * quantiles[0] + within * quantiles[1]) / math.sqrt(between + within)
    assert change_half_width(0.03, 0.02, 3, 257) == pytest.approx(joint)


def test_a_shared_error_never_narrows_an_interval() -> None:
    alone = half_width(0.05 / math.sqrt(2), 1)
    assert change_half_width(0.05, 0.001, 2, 257) >= alone


def test_one_seed_has_its_prompts_error_alone() -> None:
    assert change_half_width(NAN, 0.02, 1, 101) == pytest.approx(half_width(0.02, 100))
    assert np.isnan(change_half_width(0.1, NAN, 3, 101))


def test_places_share_no_error() -> None:
    # Nothing between seeds: the mean of two places has 1/sqrt(2) of one's error.
    found = stratified_change_interval([[0.1, 0.1], [0.3, 0.3]], [0.02, 0.02], 1e9)
    assert found.estimate == pytest.approx(0.2)
    assert found.high - 0.2 == pytest.approx(1.959964 * 0.02 / math.sqrt(2), rel=1e-4)


# --- shares ----------------------------------------------------------------------------------


def test_shares_have_the_exact_binomial_interval() -> None:
    exact = stats.binomtest(7, 9).proportion_ci(method="exact")
    interval = proportion_interval([1, 1, 1, 0, 1, 1, 0, 1, 1])
    assert interval == pytest.approx((7 / 9, exact.low, exact.high))


def test_few_successes_never_look_certain() -> None:
    # All of n: the lower bound b is where b^n = 0.025.
    assert proportion_interval([1.0]) == pytest.approx((1, 0.025, 1))
    assert proportion_interval([1, 1, 1]) == pytest.approx((1, 0.025 ** (1 / 3), 1))
    assert proportion_interval([[0, 0], [0, 0]]) == pytest.approx((0, 0, 1 - 0.025**0.25))


def test_fractional_shares_lie_in_between() -> None:
    half = proportion_interval([0.5, 1, 1])
    assert half.estimate == pytest.approx(2.5 / 3)
    assert proportion_interval([0, 1, 1]).low < half.low < proportion_interval([1, 1, 1]).low


def test_shares_outside_0_and_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shares from -0\.5 to 2; expected 0 to 1"):
        proportion_interval([-0.5, 2])


# --- what is not there -----------------------------------------------------------------------


def test_one_seed_gives_a_mean_without_bounds() -> None:
    interval = mean_interval([0.25])
    assert interval.estimate == 0.25
    assert unbounded(interval)
    overall = stratified_mean_interval([[0.25], [0.1, 0.2, 0.3]])
    assert overall.estimate == pytest.approx(0.225)
    assert unbounded(overall)


def test_equal_seeds_give_an_interval_of_no_width() -> None:
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("missing", [NAN, math.inf])
def test_a_value_that_is_not_finite_is_unknown(missing: float) -> None:
    assert np.isnan(mean_interval([0.1, missing, 0.3])).all()
    assert np.isnan(stratified_mean_interval([[0.1, 0.2], [missing, 0.3]])).all()
    assert np.isnan(proportion_interval([0, 1, NAN])).all()


def test_no_seed_is_an_error_of_one_line() -> None:
    with pytest.raises(ValueError, match=r"shape \(0,\); expected \(seed,\)"):
        mean_interval([])
    with pytest.raises(ValueError, match="at least one stratum"):
        stratified_mean_interval([])
    with pytest.raises(ValueError, match=r"shape \(1, 1, 1\)"):
        stratified_mean_interval([[[[0.1]]]])
    with pytest.raises(ValueError, match="at least one seed"):
        proportion_interval([])
