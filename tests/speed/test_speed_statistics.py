"""What the intervals of a leaderboard cost: 10,000 resamples, 20 algorithms, 6 objectives."""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.interference.bootstrap import bootstrap_intervals
from benchmark.interference.comparisons import mean_rank_intervals
from benchmark.interference.intervals import Intervals
from benchmark.interference.statistics import interquartile_mean

ALGORITHMS, OBJECTIVES, RESAMPLES = 20, 6, 10_000


@pytest.fixture
def values() -> np.ndarray:
    """Three models with five seeds: (model, algorithm, seed, objective)."""
    return np.random.default_rng(0).random((3, ALGORITHMS, 5, OBJECTIVES))


def bootstrap(values: np.ndarray, statistic: object) -> Intervals:
    """Return an interval for each algorithm and objective, over all models and seeds."""
    assert callable(statistic)
    cells = values.transpose(0, 1, 3, 2).reshape(3, ALGORITHMS * OBJECTIVES, 5, 1)
    return bootstrap_intervals(
        list(cells), statistic, np.random.default_rng(1), resamples=RESAMPLES
    )


@pytest.mark.parametrize("statistic", [np.mean, interquartile_mean])
def test_bootstrap_of_each_algorithm_and_objective(
    benchmark: BenchmarkFixture, values: np.ndarray, statistic: object
) -> None:
    """120 intervals; the aim is 2 s on one core."""
    found = benchmark.pedantic(bootstrap, (values, statistic), rounds=3)
    assert (found.low < found.high).all()
    assert found.low.shape == (ALGORITHMS * OBJECTIVES,)


def test_bootstrap_of_each_algorithm_over_its_objectives(
    benchmark: BenchmarkFixture, values: np.ndarray
) -> None:
    """20 intervals, each of 90 values; the six of a seed stay together."""
    generator = np.random.default_rng(1)
    found = benchmark.pedantic(
        bootstrap_intervals,
        (list(values), interquartile_mean, generator),
        {"resamples": RESAMPLES},
        rounds=3,
    )
    assert (found.low < found.high).all()


def test_bootstrap_of_mean_ranks(benchmark: BenchmarkFixture, values: np.ndarray) -> None:
    """20 algorithms ranked in 18 columns, 10,000 times."""
    generator = np.random.default_rng(1)
    found = benchmark.pedantic(
        mean_rank_intervals, (list(values), generator), {"resamples": RESAMPLES}, rounds=3
    )
    assert (found.low < found.high).all()
