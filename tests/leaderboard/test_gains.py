"""The primary metric's two statistics over runs, and their intervals."""

import numpy as np
import pandas
import pytest
from scipy.stats import t

from benchmark.interference.bootstrap import Statistic
from benchmark.interference.statistics import interquartile_mean
from benchmark.leaderboard.frames.gains import STATISTICS, Gains, gain_interval

RUNS = np.array([0.1, -0.9, 0.3, 0.2, 0.4, 0.25, 0.15, 0.35])


def gains_of(values: np.ndarray, prompts_error: float = 0.0) -> Gains:
    shifts = prompts_error * np.array([-1.0, 1.0])[:, None]
    drawn = {each: each(values + shifts, axis=1) for each in STATISTICS}
    return Gains([values], drawn, 100, pandas.MultiIndex.from_arrays([[], []]))


def test_the_plain_mean_counts_the_run_that_failed() -> None:
    estimate, low, high = gain_interval(gains_of(RUNS), np.mean)
    assert estimate == pytest.approx(RUNS.mean())
    half = t.ppf(0.975, len(RUNS) - 1) * RUNS.std(ddof=1) / np.sqrt(len(RUNS))
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)  # but for the noise of the draws
    without = np.delete(RUNS, 1)
    assert gain_interval(gains_of(RUNS)).estimate > estimate
    assert gain_interval(gains_of(without), np.mean).estimate > estimate + 0.1


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_prompts_error_widens_both(statistic: Statistic) -> None:
    narrow, wide = (gain_interval(gains_of(RUNS, error), statistic) for error in (0.0, 0.2))
    assert wide.estimate == narrow.estimate
    assert wide.high - wide.low > narrow.high - narrow.low


def test_the_interquartile_mean_ranks() -> None:
    assert STATISTICS[0] is interquartile_mean
    assert gain_interval(gains_of(RUNS)).estimate == pytest.approx(np.sort(RUNS)[2:6].mean())
