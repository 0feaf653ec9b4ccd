import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.interference.conflicts import (
    conflict_rate,
    gradient_cosines,
    gradient_norms,
    magnitude_similarity,
    mean_magnitude_similarity,
)

# Gradients (3, 4), (-3, 0) and (0, 2): lengths 5, 3, 2.
GRADIENTS = np.array([[3.0, 4.0], [-3.0, 0.0], [0.0, 2.0]])
GRAMIAN = GRADIENTS @ GRADIENTS.T


def test_norms_and_cosines_by_hand() -> None:
    np.testing.assert_allclose(gradient_norms(GRAMIAN), [5, 3, 2])
    expected = [[1, -0.6, 0.8], [-0.6, 1, 0], [0.8, 0, 1]]
    np.testing.assert_allclose(gradient_cosines(GRAMIAN), expected)
    np.testing.assert_allclose(gradient_cosines([GRAMIAN, GRAMIAN])[1], expected)


def test_the_conflict_rate_counts_negative_cosines() -> None:
    cosines = gradient_cosines(GRAMIAN)
    assert conflict_rate(cosines) == pytest.approx(1 / 3)  # a right angle is no conflict
    assert conflict_rate([cosines, np.ones((3, 3))]) == pytest.approx(1 / 6)  # over steps


def test_magnitude_similarity_by_hand() -> None:
    # 2 * 5 * 3 / 34, 2 * 5 * 2 / 29, 2 * 3 * 2 / 13.
    expected = [[1, 15 / 17, 20 / 29], [15 / 17, 1, 12 / 13], [20 / 29, 12 / 13, 1]]
    np.testing.assert_allclose(magnitude_similarity([5, 3, 2]), expected)
    pairs = (15 / 17 + 20 / 29 + 12 / 13) / 3
    assert mean_magnitude_similarity([5, 3, 2]) == pytest.approx(pairs)
    assert mean_magnitude_similarity([[5, 3, 2], [1, 1, 1]]) == pytest.approx((pairs + 1) / 2)


@given(norms=st.lists(st.floats(1e-200, 1e200), min_size=2, max_size=5))
def test_magnitude_similarity_at_any_scale(norms: list[float]) -> None:
    found = magnitude_similarity(norms)
    np.testing.assert_array_equal(found, found.T)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_gradient_of_zero_has_no_direction() -> None:
    gradients = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])
    cosines = gradient_cosines(gradients @ gradients.T)
    assert np.isnan(cosines[2]).all()
    assert conflict_rate(cosines) == 1  # of the one pair that is known
    np.testing.assert_array_equal(magnitude_similarity([0.0, 1.0])[0], [np.nan, 0])


def test_one_objective_has_no_pair() -> None:
    assert np.isnan(conflict_rate([[1.0]]))
    assert np.isnan(mean_magnitude_similarity([2.0]))
    assert np.isnan(conflict_rate(np.zeros((0, 3, 3))))


def test_a_matrix_that_is_not_square_is_refused() -> None:
    for function in (conflict_rate, gradient_cosines, gradient_norms):
        with pytest.raises(ValueError, match=r"shape \(2, 3\); expected \(\.\.\., i, j\)"):
            function(np.zeros((2, 3)))
