import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.interference import mean_rank
from benchmark.interference.comparisons import (
    holm,
    improvement_interval,
    mean_p_value,
    mean_rank_intervals,
    minimum_detectable_change,
)
from benchmark.interference.intervals import half_width, stratified_mean_interval

NAN = float("nan")
SEEDS = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=6)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


# --- improvement -----------------------------------------------------------------------------


def test_improvement_has_the_interval_of_the_seeds_won() -> None:
    exact = stats.binomtest(3, 4).proportion_ci(method="exact")
    interval = improvement_interval([1, 2, 3, 4], [0, 1, 2, 9])
    assert interval == pytest.approx((0.75, exact.low, exact.high))


def test_one_seed_won_says_next_to_nothing() -> None:
    assert improvement_interval([0.9], [0.1]) == pytest.approx((1, 0.025, 1))


def test_six_seeds_won_rule_out_even_odds() -> None:
    assert improvement_interval(np.ones(5), np.zeros(5)).low < 0.5
    assert improvement_interval(np.ones((2, 3)), np.zeros((2, 3))).low > 0.5


def test_improvement_with_a_missing_value_is_unknown() -> None:
    assert np.isnan(improvement_interval([1, NAN], [0, 0])).all()


# --- significance ----------------------------------------------------------------------------


def test_the_p_value_is_that_of_the_paired_t_test() -> None:
    values, baseline = np.array([0.5, 0.7, 0.61, 0.8]), np.array([0.4, 0.65, 0.62, 0.6])
    assert mean_p_value([values - baseline]) == pytest.approx(
        stats.ttest_rel(values, baseline).pvalue
    )


@given(strata=st.lists(SEEDS, min_size=1, max_size=3))
def test_the_p_value_agrees_with_the_interval(
    strata: list[list[float]],
) -> None:
    interval = stratified_mean_interval(strata)
    leaves_out = interval.low > 1e-9 or interval.high < -1e-9
    assert leaves_out == (mean_p_value(strata) < 0.05 - 1e-9)


def test_p_values_of_degenerate_data() -> None:
    assert mean_p_value([[0.0, 0.0, 0.0]]) == 1
    assert mean_p_value([[0.5, 0.5]]) == 0
    assert math.isnan(mean_p_value([[0.5]]))
    assert math.isnan(mean_p_value([[0.5, NAN]]))
    with pytest.raises(ValueError, match="at least one stratum"):
        mean_p_value([])


def test_holm_by_hand() -> None:
    # In order 0.01 * 4, 0.02 * 3, 0.03 * 2, 0.5 * 1; none below the one before.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.5, 0.02]), [0.06, 0.04, 0.5, 0.06])
    np.testing.assert_allclose(holm([0.4, 0.9]), [0.8, 0.9])


def test_a_missing_p_value_does_not_count() -> None:
    np.testing.assert_allclose(holm([[0.01, NAN], [0.04, 0.5]]), [[0.03, NAN], [0.08, 0.5]])
    assert np.isnan(holm([NAN])).all()
    assert holm([]).shape == (0,)


@given(p_values=P_VALUES)
def test_holm_lies_between_no_correction_and_bonferroni_s(p_values: list[float]) -> None:
    corrected, given_values = holm(p_values), np.array(p_values)
    assert (corrected >= given_values).all()
    assert (corrected <= np.minimum(1, given_values * len(p_values)) + 1e-12).all()
    assert (np.diff(corrected[np.argsort(given_values, kind="stable")]) >= 0).all()


def test_p_values_outside_0_and_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"p-values from -0\.1 to 0\.3; expected 0 to 1"):
        holm([0.3, -0.1])


# --- what could be found ---------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [3, 5, 30])
def test_the_detectable_change_is_found_as_often(seeds: int) -> None:
    change = minimum_detectable_change(1 / math.sqrt(seeds), seeds - 1)
    studies = generator().normal(change, 1, (20_000, seeds))
    error = studies.std(axis=1, ddof=1) / math.sqrt(seeds)
    found = np.mean(studies.mean(axis=1) > half_width(error, seeds - 1))
    assert found == pytest.approx(0.8, abs=0.01)


def test_many_seeds_detect_what_the_normal_quantiles_say() -> None:
    expected = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert minimum_detectable_change(1, 1e6) == pytest.approx(expected, rel=1e-4)
    assert minimum_detectable_change(0.02, 1e6) == pytest.approx(0.02 * expected, rel=1e-4)


def test_more_power_takes_a_larger_change() -> None:
    assert minimum_detectable_change(1, 4, power=0.9) > minimum_detectable_change(1, 4)
    assert minimum_detectable_change(1, 1, power=0.99) < 40  # two seeds; far from overflow


def test_nothing_is_known_to_be_detectable_with_one_seed() -> None:
    assert math.isnan(minimum_detectable_change(NAN, 0))
    assert math.isnan(minimum_detectable_change(0.1, NAN))
    assert minimum_detectable_change(0.0, 4) == 0
    with pytest.raises(ValueError, match=r"power 1; expected above 0\.025 and below 1"):
        minimum_detectable_change(1, 4, power=1)


# --- ranks -----------------------------------------------------------------------------------


def table(*algorithms: list[list[float]]) -> np.ndarray:
    return np.array(algorithms)  # (algorithm, seed, column)


def test_algorithms_far_apart_have_sure_ranks() -> None:
    strata = [table([[9.1], [9.0]], [[5.0], [5.1]], [[1.0], [1.2]])] * 2
    found = mean_rank_intervals(strata, generator(), resamples=50)
    np.testing.assert_array_equal(found, [[1, 2, 3]] * 3)


def test_ranks_are_of_means_over_seeds() -> None:
    rng = np.random.default_rng(1)
    strata = [rng.random((4, 3, 2)), rng.random((4, 5, 1))]
    columns = np.concatenate([stratum.mean(axis=1) for stratum in strata], axis=1)
    found = mean_rank_intervals(strata, generator(), resamples=50)
    np.testing.assert_allclose(found.estimate, mean_rank(columns))
    assert (found.low >= 1).all()
    assert (found.high <= 4).all()
    assert (found.low <= found.estimate).all()
    assert (found.estimate <= found.high).all()
    assert (found.low < found.high).all()


def test_ranks_of_two_algorithms_by_hand() -> None:
    # Differences -1, -1, 5, mean 1; moved away from it by sqrt(3/2): -1.45, -1.45, 5.90. Of 27
    # draws those without the third, 8, put the second algorithm first: 1 instead of 2 for it.
    strata = [table([[-1], [-1], [5]], [[0], [0], [0]])]
    found = mean_rank_intervals(strata, generator(), level=0.5, resamples=20_000)
    half = float(half_width(math.sqrt(8 / 27), 2, level=0.5))
    np.testing.assert_array_equal(found.estimate, [1, 2])
    np.testing.assert_allclose(found.high, [1 + half, 2], rtol=0.01)
    np.testing.assert_allclose(found.low, [1, 2 - half], rtol=0.01)


def test_seeds_are_drawn_for_all_algorithms_together() -> None:
    # The first is better on each seed, though seeds differ by more than the two do.
    strata = [table([[0.2], [0.5], [0.9]], [[0.1], [0.4], [0.8]])]
    found = mean_rank_intervals(strata, generator(), resamples=200)
    np.testing.assert_array_equal(found, [[1, 2]] * 3)


def test_equal_algorithms_share_their_rank_for_sure() -> None:
    found = mean_rank_intervals([np.full((3, 2, 2), 0.5)], generator(), resamples=20)
    np.testing.assert_array_equal(found, [[2, 2, 2]] * 3)


def test_the_ranks_bounds_depend_on_the_generator_alone() -> None:
    strata = [np.random.default_rng(1).random((4, 3, 2))]
    one = mean_rank_intervals(strata, generator(), resamples=20)
    np.testing.assert_array_equal(mean_rank_intervals(strata, generator(), resamples=20), one)


def test_ranks_without_bounds_or_without_values() -> None:
    one_seed = mean_rank_intervals([table([[0.2]], [[0.1]])], generator())
    np.testing.assert_array_equal(one_seed.estimate, [1, 2])
    assert np.isnan([one_seed.low, one_seed.high]).all()
    missing = mean_rank_intervals([table([[0.2], [NAN]], [[0.1], [0.2]])], generator())
    assert np.isnan(missing).all()


def test_ranks_need_the_same_algorithms_everywhere() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 1\), \(1, 3, 1\).*algorithms alike"):
        mean_rank_intervals([np.zeros((2, 3, 1)), np.zeros((1, 3, 1))], generator())
    with pytest.raises(ValueError, match=r"shapes \[\]"):
        mean_rank_intervals([], generator())
    with pytest.raises(ValueError, match="none empty"):
        mean_rank_intervals([np.zeros((2, 0, 1))], generator())
