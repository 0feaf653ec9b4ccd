import math

import numpy as np
import pytest
from scipy import stats

from benchmark.interference.shares import cluster_interval


def test_clusters_that_agree_are_no_more_trials_than_things() -> None:
    # One of three objectives on each of three models: nine objectives, and no single coin.
    exact = stats.binomtest(3, 9).proportion_ci(method="exact")
    found = cluster_interval([1 / 3] * 3, [3] * 3, ["k", "l", "m"])
    assert found == pytest.approx((1 / 3, exact.low, exact.high))


def test_clusters_that_differ_count_as_the_trials_they_vary_like() -> None:
    # Shares 0, 1, 0, 1: v = 4/3 * 4 * 0.25 / 16 = 1/12, so n* = 3 (t with 11 over t with 3)^2.
    trials = 3 * (stats.t.ppf(0.975, 11) / stats.t.ppf(0.975, 3)) ** 2
    found = cluster_interval([0, 1, 0, 1], [3] * 4, "abcd")
    assert found.low == pytest.approx(stats.beta.ppf(0.025, trials / 2, trials / 2 + 1))
    assert found.high == pytest.approx(1 - found.low)


def test_a_model_with_two_sets_is_one_cluster() -> None:
    apart = cluster_interval([0, 0, 1, 1], [3] * 4, "abcd")
    together = cluster_interval([0, 0, 1, 1], [3] * 4, "aabb")
    assert together.high - together.low > apart.high - apart.low


def test_none_of_all_clusters_is_not_certain() -> None:
    assert cluster_interval([0, 0], [3, 3], "ab") == pytest.approx((0, 0, 1 - 0.025**0.5))
    assert cluster_interval([1, 1], [3, 3], "ab") == pytest.approx((1, 0.025**0.5, 1))


def test_one_cluster_has_no_bounds_and_none_is_an_error() -> None:
    found = cluster_interval([0.5], [2], "a")
    assert found.estimate == 0.5
    assert math.isnan(found.low)
    assert np.isnan(cluster_interval([0.5, math.nan], [2, 2], "ab")).all()
    with pytest.raises(ValueError, match="at least one place"):
        cluster_interval([], [], "")
