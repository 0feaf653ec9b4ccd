import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.interference import bootstrap
from benchmark.interference.bootstrap import bootstrap_intervals, stratified_bootstrap
from benchmark.interference.intervals import Interval, stratified_mean_interval
from benchmark.interference.statistics import interquartile_mean

NAN = float("nan")
VALUES = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_seeds_are_drawn_within_their_stratum() -> None:
    interval = stratified_bootstrap([[1.0, 1.0], [5.0, 5.0, 5.0]], np.mean, generator())
    assert interval == pytest.approx((3.4, 3.4, 3.4))  # nothing varies within a stratum


def test_the_bootstrap_of_two_seeds_by_hand() -> None:
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


def test_cells_share_their_draws() -> None:
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


@pytest.mark.parametrize("at_once", [1, 50, 1_000_000])
def test_the_jackknife_leaves_out_each_seed_in_turn(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(bootstrap, "AT_ONCE", at_once)
    drawn = generator()
    strata = [drawn.normal(size=shape) for shape in ((3, 1), (2, 4), (5, 1))]
    expected = []
    for k, stratum in enumerate(strata):
        others = [other.ravel() for other in [*strata[:k], *strata[k + 1 :]]]
        left = [np.delete(stratum, seed, axis=0).ravel() for seed in range(len(stratum))]
        without = [interquartile_mean(np.concatenate([part, *others])) for part in left]
        expected.append(np.var(without) * (len(stratum) - 1))
    assert bootstrap._shares(strata, interquartile_mean) == pytest.approx(expected, rel=1e-12)


def test_strata_without_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one stratum"):
        stratified_bootstrap([], np.mean, generator())
    with pytest.raises(ValueError, match=r"shape \(0,\)"):
        stratified_bootstrap([[0.1, 0.2], []], np.mean, generator())
    with pytest.raises(ValueError, match=r"\(2, 3, 1\), \(1, 3, 1\).*cells alike"):
        bootstrap_intervals([np.zeros((2, 3, 1)), np.zeros((1, 3, 1))], np.mean, generator())
