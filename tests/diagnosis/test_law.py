"""The law's test: covariances and statistics by hand, and what they say when the law is true."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.covariance import group_covariance
from benchmark.diagnosis.law import (
    Records,
    calibration_slope,
    rank_correlation,
    records,
    resampled_means,
    sign_agreement,
    summary,
)
from benchmark.diagnosis.samples import StepSample, prompt_covariances

GENERATOR = np.random.default_rng
UNUSED = np.zeros((1, 1, 1))  # the rewards' covariance


def exactly(predicted: list[float], realised: list[float]) -> Records:
    """Records without sampling error: five resamples that repeat the sample."""
    sides = [np.tile(np.array(side), (6, 1)) for side in (predicted, realised)]
    count = len(predicted)
    return Records(*sides, np.ones(count), np.zeros(count))


def sample(
    update: list[list[float]], signal: list[list[float]], realised: list[list[float]]
) -> StepSample:
    """A step measured on prompts: covariances with a last column of the signal, and changes."""
    predictors = {("update", 1.0): np.array(update), ("advantage", 1.0): np.array(signal)}
    return StepSample(predictors, UNUSED, {1.0: np.array(realised)}, {1.0: 0.25})


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_covariances_average_to_the_group_covariance(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rewards, signal = generator.normal(size=(5, 4, 3)), generator.normal(size=(5, 4))
    groups = torch.arange(20) // 4
    expected = group_covariance(
        torch.tensor(rewards.reshape(20, 3)), torch.tensor(signal.reshape(20)), groups
    )
    found = prompt_covariances(rewards, signal).mean(axis=0)
    assert found == pytest.approx(expected.numpy())


def test_sign_agreement_is_the_share_of_equal_signs() -> None:
    found = exactly([1.0, -1.0, 2.0, -3.0], [0.1, -0.2, -0.1, -0.4])
    assert sign_agreement(found) == (0.75, 0.75, 0.75)


def test_the_slope_is_through_the_origin() -> None:
    assert calibration_slope(exactly([1.0, 2.0], [3.0, 6.0])).estimate == pytest.approx(3.0)
    assert calibration_slope(exactly([1.0, 1.0], [0.0, 1.0])).estimate == pytest.approx(0.5)


def test_rank_correlation_is_spearmans() -> None:
    assert rank_correlation(exactly([1, 2, 3, 4], [0.1, 0.5, 0.2, 9])).estimate == pytest.approx(
        0.8
    )
    assert math.isnan(rank_correlation(exactly([1, 2], [1, 2])).estimate)


def test_the_update_predicts_by_its_own_covariance() -> None:
    found = records([sample([[0.2, 9.0]], [[1.0, 2.0]], [[0.3]])], "update", GENERATOR(0), 5)
    assert found.predicted == pytest.approx(np.full((6, 1), 0.2))
    assert found.realised == pytest.approx(np.full((6, 1), 0.3))
    assert found.clipped.tolist() == [0.25]


def test_predictions_are_scaled_by_the_signals_change() -> None:
    # The signal moves by 9 along the update and covaries by 2 with itself: a step of 4.5.
    found = records([sample([[0.2, 9.0]], [[1.0, 2.0]], [[0.3]])], "advantage", GENERATOR(0), 5)
    assert found.predicted == pytest.approx(np.full((6, 1), 4.5))


def test_predictions_grow_with_the_multiple() -> None:
    one = np.array([[0.2, 1.0]])
    predictors = {("update", 1.0): one, ("weight", 1.0): one, ("weight", 4.0): 3 * one + [[0, 1]]}
    realised = {1.0: np.ones((2, 1)), 4.0: np.ones((2, 1))}
    step = StepSample(predictors, UNUSED, realised, {1.0: 0, 4.0: 0.5})
    found = records([step], "weight", GENERATOR(0), 3)
    assert found.predicted[0] == pytest.approx([0.2, 4 * 0.6 / 4])
    assert found.multiple.tolist() == [1.0, 4.0]
    assert found.clipped.tolist() == [0.0, 0.5]


def test_a_signal_that_does_not_vary_predicts_nothing() -> None:
    step = sample([[0.2, 0.0]], [[0.0, 0.0]], [[0.3]])
    found = records([step], "advantage", GENERATOR(0), 5)
    assert np.isnan(found.predicted).all()
    row = summary(found)
    assert row["records"] == 0
    assert math.isnan(row["sign_agreement"])


def test_an_objective_that_did_not_move_is_no_record() -> None:
    assert exactly([1.0, 0.0, 1.0], [0.0, 1.0, 1.0]).usable().multiple.size == 1


def test_records_within_their_error_are_not_resolved() -> None:
    generator = np.random.default_rng(0)
    sides = np.array([3.0, 0.5]) + generator.normal(size=(500, 2))
    sides[0] = 3.0, 0.5
    found = Records(sides, sides, np.ones(2), np.zeros(2)).resolved()
    assert found.predicted[0].tolist() == [3.0]


def test_resampled_means_vary_as_the_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=(50, 2))
    means = resampled_means(values, np.random.default_rng(2), 4000)
    assert means[0] == pytest.approx(values.mean(axis=0))
    assert means[1:].std(axis=0) == pytest.approx(values.std(axis=0) / np.sqrt(50), rel=0.05)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1_000))
def test_a_true_law_is_found_calibrated(seed: int) -> None:
    generator = np.random.default_rng(seed)
    true = generator.normal(size=(6, 4))  # of six steps, three objectives and the signal
    true[:, 3] = 1 + generator.random(6)
    steps = [
        sample(
            (row + 0.02 * generator.normal(size=(200, 4))).tolist(),
            (row / 2 + 0.02 * generator.normal(size=(200, 4))).tolist(),
            (row[:3] + 0.02 * generator.normal(size=(200, 3))).tolist(),
        )
        for row in true
    ]
    for kind in ("update", "advantage"):
        row = summary(records(steps, kind, np.random.default_rng(0), 100))
        assert row["slope"] == pytest.approx(1.0, abs=0.02)
        assert row["resolved_agreement"] == 1.0
        assert row["rank_correlation"] > 0.99
        assert row["slope_low"] <= row["slope"] <= row["slope_high"]
