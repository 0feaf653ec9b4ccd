"""The intervals hold as often as they say: fewer studies than the full table, the same code."""

import sys

import interval_coverage as coverage
import numpy as np
import pytest
from scipy import stats

from benchmark.interference.intervals import Interval

CASES = {case.name: case for case in coverage.cases(resamples=200)}
PLACES = [f"{kind}, {n}" for kind in ("normal", "skewed") for n in ("one stratum", "three strata")]


def share(name: str, seeds: int, studies: int) -> float:
    return coverage.coverage(CASES[name], seeds, studies, np.random.default_rng(1))


@pytest.mark.parametrize("place", PLACES)
def test_intervals_hold_with_five_seeds(place: str) -> None:
    assert 0.92 <= share(f"mean, Student; {place}", 5, 1000) <= 0.98
    assert 0.91 <= share(f"interquartile mean; {place}", 5, 300) <= 0.99


def test_changes_hold_where_seeds_share_their_baseline() -> None:
    for seeds in (3, 10):
        assert 0.93 <= share("change; quiet seeds", seeds, 1000) <= 0.98
    assert share("change, Student alone; quiet seeds", 5, 500) < 0.5
    assert share("change; loud seeds", 2, 1000) >= 0.93


def test_rates_near_0_and_1_hold_over_models() -> None:
    for rate in ("0.05", "0.33", "0.9"):
        assert share(f"rate {rate}, models in place of seeds", 3, 300) >= 0.93


def test_the_percentile_bootstrap_does_not_hold() -> None:
    assert share("mean, percentile bootstrap; normal, one stratum", 3, 500) < 0.8


def test_improvement_and_ranks_hold_with_three_seeds() -> None:
    assert share("probability of improvement, three strata", 3, 300) >= 0.95
    assert share("mean rank, distinct algorithms", 3, 60) >= 0.93
    assert share("mean rank, close algorithms", 3, 60) >= 0.88


def test_coverage_counts_intervals_that_hold() -> None:
    def up_to(strata: list[np.ndarray], generator: np.random.Generator) -> Interval:
        return Interval(0.0, 0.0, float(strata[0][0]))

    uniform = coverage.drawer([stats.uniform()])
    case = coverage.Case("above 0.7", uniform, up_to, 0.7)
    found = coverage.coverage(case, 1, 4000, np.random.default_rng(0))
    assert found == pytest.approx(0.3, abs=0.02)


def test_the_true_interquartile_mean() -> None:
    parts = coverage.POPULATIONS["skewed"]
    drawn = np.concatenate(coverage.drawer(parts)(200_000, np.random.default_rng(0)))
    expected = stats.trim_mean(drawn, 0.25)
    assert coverage.true_interquartile_mean(parts) == pytest.approx(expected, abs=2e-3)
    assert coverage.true_interquartile_mean([stats.norm(0.3, 0.1)]) == pytest.approx(0.3)


def test_the_command_prints_a_line_for_each_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["coverage", "--studies", "1", "--resamples", "10"])
    coverage.main()
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split()[-4:] == ["2", "3", "5", "10"]
    assert [line[:52].strip() for line in lines] == list(CASES)
    assert all(entry in {"0.0%", "100.0%"} for entry in lines[0][52:].split())
