import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from benchmark.interference import (
    change,
    collapsed,
    delta_m_percent,
    drop_from_best,
    hypervolume_gain,
    interfered_with,
    interference_matrix,
    interference_rate,
    mean_rank,
    normalised_gain,
    relative_loss,
    set_hypervolume,
    severity,
    worst_change,
    worst_normalised_gain,
)

# One run of two objectives at three steps.
CURVES = np.array([[0.4, 0.5], [0.6, 0.7], [0.9, 0.2]])


def test_change_is_final_minus_initial() -> None:
    np.testing.assert_allclose(change(CURVES), [0.5, -0.3])
    np.testing.assert_allclose(change(np.stack([CURVES, CURVES[::-1]])), [[0.5, -0.3], [-0.5, 0.3]])


def test_drop_from_best_is_lost_from_the_best_step() -> None:
    np.testing.assert_allclose(drop_from_best(CURVES), [0.0, 0.5])


def test_worst_change_is_that_of_the_worst_objective() -> None:
    np.testing.assert_allclose(worst_change([[0.5, -0.3], [0.1, 0.2]]), [-0.3, 0.1])


@pytest.mark.parametrize(
    ("delta", "score_delta", "expected"),
    [
        ([0.5, -0.3], 0.1, [False, True]),
        ([0.5, -0.03], 0.1, [False, False]),  # -0.03 + 1.96 * 0.02 reaches above 0
        ([0.5, -0.3], 0.03, [False, False]),  # nor is a score's rise of 0.03 beyond doubt
        ([0.5, -0.3], -0.1, [False, False]),  # training failed
        ([-0.2, -0.3], 0.1, [True, True]),
    ],
)
def test_interference_needs_a_fall_and_a_success(
    delta: list[float], score_delta: float, expected: list[bool]
) -> None:
    found = interfered_with([delta], [[0.02, 0.02]], [score_delta], [0.02], np.inf)
    np.testing.assert_array_equal(found, [expected])


def test_few_observations_widen_intervals() -> None:
    # The fall is 3 standard errors: enough with many prompts, not with 2 degrees (t = 4.30).
    delta, errors = [[-0.3], [-0.3]], [[0.1], [0.1]]
    found = interfered_with(delta, errors, [1.0, 1.0], [0.1, 0.1], [np.inf, 2])
    np.testing.assert_array_equal(found, [[True], [False]])
    assert interfered_with(delta, errors, [1.0, 1.0], [0.1, 0.1], 2, level=0.9).all()  # t = 2.92


def test_nothing_is_claimed_without_an_interval() -> None:
    found = interfered_with([[-0.3], [-0.3]], [[np.nan], [0.1]], [1.0, 1.0], [0.1, np.nan], 100)
    assert not found.any()


def test_the_rate_is_the_share_of_run_objective_pairs() -> None:
    assert interference_rate([[True, False], [False, False]]) == 0.25


def test_severity_is_the_relative_loss_with_a_floor() -> None:
    # Losses 0.3/0.5 and 0.01/0.05 (the floor); the gains count as 0.
    delta, initial = [[0.4, -0.3], [-0.01, 0.2]], [[0.4, 0.5], [0.01, 0.5]]
    assert severity(delta, initial) == pytest.approx((0.6 + 0.2) / 4)


def test_severity_is_the_mean_of_relative_losses() -> None:
    delta, initial = [[0.4, -0.3], [-0.01, 0.2]], [[0.4, 0.5], [0.01, 0.5]]
    np.testing.assert_allclose(relative_loss(delta, initial), [[0, 0.6], [0.2, 0]])
    np.testing.assert_allclose(relative_loss([-0.1], [-3.0]), [2])  # the floor here too


def test_normalised_gain_compares_with_training_alone() -> None:
    found = normalised_gain([0.1, -0.2, 0.1], [0.4, 0.4, 0.4], [0.6, 0.8, 0.4])
    np.testing.assert_allclose(found, [0.5, -0.5, np.nan])


def test_the_worst_normalised_gain_by_hand() -> None:
    # 0.1/0.2 and -0.3/0.5; then an objective without a scale, which counts only where it fell.
    gains = worst_normalised_gain
    assert gains([0.1, -0.3], [0.2, 0.5], [0.4, 0.4], [False, True]) == pytest.approx(-0.6)
    assert gains([0.1, -0.3], [0.2, 0.0], [0.4, 0.4], [False, False]) == pytest.approx(0.5)
    assert gains([0.1, -0.3], [0.2, 0.0], [0.4, 0.4], [False, True]) == pytest.approx(-0.75)
    assert gains([0.1, 0.1], [0.2, 0.001], [0.4, 0.4], [False] * 2) == pytest.approx(0.5)
    assert np.isnan(gains([0.1, -0.3], [0.2, np.nan], [0.4, 0.4], [False, False]))
    assert np.isnan(gains([0.1, -0.3], [0.0, 0.0], [0.4, 0.4], [False, True]))


def test_a_policy_collapses_by_its_objectives_or_its_length() -> None:
    every, tokens, before = [True, False, False, False], [20, 47.1, 20, 47.5], [30, 30, 30, 47.2]
    np.testing.assert_array_equal(collapsed(every, tokens, before, 48), [True, True, False, False])
    assert not collapsed([False], [48], [30], [np.nan]).any()


def test_the_interference_matrix_has_the_trained_in_rows() -> None:
    final = [[0.9, 0.2], [0.4, 0.8]]  # trained on objective 0: 0.9 and 0.2
    np.testing.assert_allclose(interference_matrix(final, [0.5, 0.5]), [[0.4, -0.3], [-0.1, 0.3]])
    over_seeds = interference_matrix([final, final], [[0.5, 0.5], [0.4, 0.2]])
    np.testing.assert_allclose(over_seeds[1], [[0.5, 0.0], [0.0, 0.6]])


def test_delta_m_is_positive_for_better() -> None:
    np.testing.assert_allclose(delta_m_percent([0.75, 0.4], [0.5, 0.5]), 15)  # (+50 - 20) / 2
    assert np.isnan(delta_m_percent([0.75, 0.4], [0.0, 0.5]))
    assert np.isnan(delta_m_percent([-0.5, 0.4], [-1.0, 0.5]))  # else a rise would count as -50%
    np.testing.assert_allclose(delta_m_percent([[1.5], [0.5]], [[1.0], [1.0]]), [50, -50])


def test_mean_rank_gives_ties_their_average() -> None:
    # Column 1: ranks 1, 2.5, 2.5; column 2: ranks 3, 1, 2.
    np.testing.assert_allclose(mean_rank([[0.9, 0.1], [0.5, 0.8], [0.5, 0.4]]), [2, 1.75, 2.25])


def test_mean_ranks_of_many_tables_are_those_of_each() -> None:
    tables = np.random.default_rng(0).integers(3, size=(4, 5, 2))  # with ties
    np.testing.assert_array_equal(mean_rank(tables), [mean_rank(table) for table in tables])


def test_the_hypervolume_gain_is_a_box() -> None:
    assert hypervolume_gain([0.5, 0.9], [0.3, 0.4]) == pytest.approx(0.2 * 0.5)
    assert hypervolume_gain([0.5, 0.9, 0.3], [0.4, 0.4, 0.1]) == pytest.approx(0.1 * 0.5 * 0.2)
    assert hypervolume_gain([0.5, 0.3], [0.3, 0.4]) == 0  # one objective fell


def test_a_set_s_hypervolume_is_the_union_of_its_boxes() -> None:
    # Boxes 1 x 3 and 2 x 2 overlap in 1 x 2; the point below the reference adds nothing.
    points = np.array([[1.0, 3.0], [2.0, 2.0], [9.0, -1.0]])
    untouched = points.copy()
    assert set_hypervolume(points, [0, 0]) == 5
    np.testing.assert_array_equal(points, untouched)


def test_a_missing_value_leaves_the_hypervolume_unknown() -> None:
    assert np.isnan(hypervolume_gain([0.5, np.nan], [0.3, 0.4]))
    assert np.isnan(set_hypervolume([[1.0, 1.0]], [0.0, np.nan]))


# --- what is not there -----------------------------------------------------------------------


def test_missing_values_are_never_claimed_to_be_harmless() -> None:
    nan = np.nan
    np.testing.assert_array_equal(change([[nan, 0.5], [0.9, 0.75]]), [nan, 0.25])
    np.testing.assert_array_equal(drop_from_best([[nan, 0.75], [0.9, 0.5]]), [nan, 0.25])
    np.testing.assert_array_equal(worst_change([[nan, 0.5], [0.1, 0.2]]), [nan, 0.1])
    assert np.isnan(severity([[nan, -0.3]], [[0.5, 0.5]]))
    assert np.isnan(delta_m_percent([nan, 0.4], [0.5, 0.5]))
    assert np.isnan(mean_rank([[0.1, 0.2], [nan, 0.3]])).all()
    assert np.isnan(normalised_gain([nan], [0.4], [0.6])).all()


@pytest.mark.parametrize(
    ("metric", "arguments"),
    [
        (interference_rate, [np.zeros((0, 2))]),
        (severity, [np.zeros((0, 2)), np.zeros((0, 2))]),
        (worst_change, [[]]),
        (drop_from_best, [np.zeros((0, 2))]),
        (mean_rank, [np.zeros((3, 0))]),
        (set_hypervolume, [np.zeros((0, 2)), [0.0, 0.0]]),
    ],
)
def test_nothing_to_sum_up_is_an_error(
    metric: Callable[..., object], arguments: list[object]
) -> None:
    with pytest.raises(ValueError, match=r"\(0,|\(3, 0\)"):
        metric(*arguments)


def test_a_reference_of_other_objectives_is_refused() -> None:
    with pytest.raises(ValueError, match=r"points \(1, 2\) beyond a reference \(3,\)"):
        set_hypervolume([[0.5, 0.5]], [0, 0, 0])


def test_constant_curves_have_nothing_to_report() -> None:
    flat = np.full((3, 2), 0.5)
    assert not change(flat).any()
    assert not drop_from_best(flat).any()
    assert severity(change(flat)[None], flat[:1]) == 0
    assert not interfered_with([[0.0, 0.0]], [[0.0, 0.0]], [0.0], [0.0], 2).any()


@pytest.mark.slow
def test_the_metrics_import_neither_torch_nor_pandas() -> None:
    script = (
        "import sys, benchmark.interference.conflicts\n"
        "print(sorted({'torch', 'pandas', 'mlflow', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
