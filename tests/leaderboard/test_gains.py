"""The primary metric's two statistics over runs, and their intervals."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas
import pytest
from scipy.stats import t

from benchmark.interference.bootstrap import Statistic, resampled
from benchmark.interference.statistics import interquartile_mean
from benchmark.leaderboard.frames import gains as module
from benchmark.leaderboard.frames.gains import STATISTICS, Gains, difference_interval, gain_interval

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


def test_the_seeds_of_an_algorithm_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(*arguments: Any) -> np.ndarray:
        calls.append(arguments)
        return resampled(*arguments)

    monkeypatch.setattr(module, "resampled", counting)
    one, other = gains_of(RUNS), gains_of(RUNS + np.linspace(0, 0.1, len(RUNS)))
    count = len(RUNS)
    columns = [["place"] * count, ["study"] * count, range(count)]
    keys = pandas.MultiIndex.from_arrays(columns, names=["place", "study", "seed"])
    one, other = (replace(each, keys=keys) for each in (one, other))
    gain_interval(one)
    for _ in range(2):
        difference_interval(one, other)
    assert len(calls) == 2
