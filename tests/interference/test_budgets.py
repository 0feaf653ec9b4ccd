from itertools import combinations

import numpy as np
import pytest

from benchmark.interference.budgets import expected_best


def test_expected_best_by_hand() -> None:
    # Of 1, 2, 4: one of them 7/3; two of them (2 + 4 + 4)/3; all of them 4.
    assert expected_best([4, 1, 2]) == pytest.approx([7 / 3, 10 / 3, 4])


def test_expected_best_is_the_mean_over_all_subsets() -> None:
    scores = np.random.default_rng(0).normal(size=7)
    every = [np.mean([max(part) for part in combinations(scores, k)]) for k in range(1, 8)]
    assert expected_best(scores) == pytest.approx(every)


def test_a_failed_trial_counts_as_the_lowest() -> None:
    assert expected_best([0.5, np.nan, 0.1]) == pytest.approx(expected_best([0.5, 0.1, 0.1]))


@pytest.mark.parametrize("scores", [[], [np.nan], [[1.0, 2.0]]])
def test_nothing_to_choose_from_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one score"):
        expected_best(scores)
