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
    row,
    sign_agreement,
)
from benchmark.diagnosis.resolution import resampled_means
from benchmark.diagnosis.samples import StepSample, prompt_covariances
from benchmark.interference.intervals import Interval

UNUSED = np.zeros((1, 1, 1))  # the rewards' covariance
SIZE = 2  # prompts


def exactly(
    predicted: list[float], realised: list[float], cells: str | None = None, **known: list[bool]
) -> Records:
    """Records whose signs are all resolved, each of its own cell unless ``cells`` names these."""
    count = len(predicted)
    flags = {"certain": True, "certain_change": True, "lowered": False}
    columns = [np.array(known.get(name, [value] * count)) for name, value in flags.items()]
    sides = (np.array(predicted, dtype=float), np.array(realised, dtype=float))
    own = list(cells) if cells else [str(each) for each in range(count)]
    return Records(*sides, *columns, np.ones(count), np.zeros(count), np.array(own))


def sample(
    update: list[list[float]], signal: list[list[float]], realised: list[list[float]]
) -> StepSample:
    """A step measured on prompts: covariances with a last column of the signal, and changes."""
    sides = [np.repeat(np.array(each), SIZE, axis=0) for each in (update, signal, realised)]
    predictors = {("update", 1.0): sides[0], ("advantage", 1.0): sides[1]}
    return StepSample(predictors, UNUSED, {1.0: sides[2]}, {1.0: 0.25})


def one(step: StepSample) -> list[tuple[str, StepSample]]:
    return [("cell", step)]


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
    assert sign_agreement(found).estimate == 0.75


def test_the_slope_is_through_the_origin() -> None:
    assert calibration_slope(exactly([1.0, 2.0], [3.0, 6.0])).estimate == pytest.approx(3.0)
    assert calibration_slope(exactly([1.0, 1.0], [0.0, 1.0])).estimate == pytest.approx(0.5)


def test_rank_correlation_is_spearmans() -> None:
    assert rank_correlation(exactly([1, 2, 3, 4], [0.1, 0.5, 0.2, 9])).estimate == pytest.approx(
        0.8
    )
    assert math.isnan(rank_correlation(exactly([1, 2], [1, 2])).estimate)


# --- predictions ---


def test_the_update_predicts_by_its_own_covariance() -> None:
    found = records(one(sample([[0.2, 9.0]], [[1.0, 2.0]], [[0.3]])), "update")
    assert found.predicted == pytest.approx([0.2])
    assert found.realised == pytest.approx([0.3])
    assert found.clipped.tolist() == [0.25]
    assert found.cell.tolist() == ["cell"]


def test_predictions_are_scaled_by_the_signals_change() -> None:
    # The signal moves by 9 along the update and covaries by 2 with itself: a step of 4.5.
    found = records(one(sample([[0.2, 9.0]], [[1.0, 2.0]], [[0.3]])), "advantage")
    assert found.predicted == pytest.approx([4.5])


def test_predictions_grow_with_the_multiple() -> None:
    first = np.array([[0.2, 1.0]] * SIZE)
    predictors = {("update", 1.0): first, ("weight", 1.0): first}
    predictors["weight", 4.0] = 3 * first + [[0, 1]]
    realised = {1.0: np.ones((2, 1)), 4.0: np.ones((2, 1))}
    step = StepSample(predictors, UNUSED, realised, {1.0: 0, 4.0: 0.5})
    found = records(one(step), "weight")
    assert found.predicted == pytest.approx([0.2, 4 * 0.6 / 4])
    assert found.multiple.tolist() == [1.0, 4.0]
    assert found.clipped.tolist() == [0.0, 0.5]


def test_a_signal_that_does_not_vary_predicts_nothing() -> None:
    step = sample([[0.2, 0.0]], [[0.0, 0.0]], [[0.3]])
    assert np.isnan(records(one(step), "advantage").predicted).all()
    found = row(records(one(step), "advantage"))
    assert found["records"] == 0
    assert math.isnan(found["sign_agreement"])


def test_an_objective_that_did_not_move_is_no_record() -> None:
    assert len(exactly([1.0, 0.0, 1.0], [0.0, 1.0, 1.0]).usable()) == 1


def test_a_side_is_resolved_beyond_its_own_error() -> None:
    noise = np.random.default_rng(0).normal(size=(400, 2))
    noise -= noise.mean(axis=0)
    sides = noise / 20 + [0.1, 0.001]  # the error of a mean is 0.0025
    predictors = {("update", 1.0): np.hstack([sides, sides[:, :1]])}
    step = StepSample(predictors, UNUSED, {1.0: sides[:, ::-1]}, {1.0: 0.0})
    found = records(one(step), "update")
    assert found.certain.tolist() == [True, False]
    assert found.certain_change.tolist() == [False, True]


# --- what counts ---


def test_a_step_that_lowers_its_own_signal_flips_no_sign() -> None:
    # The covariance says +, the update lowers its own signal, and the objective fell. Scaled by the
    # signal's change the law would be "right" with the opposite of what it says.
    lowered = sample([[-0.1, -9.0]], [[1.0, 2.0]], [[-0.3]])
    found = records(one(lowered), "advantage")
    assert found.predicted == pytest.approx([4.5])
    measured = row(records(one(lowered), "advantage"))
    assert (measured["records"], measured["lowered"]) == (0, 1)
    assert measured["lowered_agreement"] == 0.0
    # Kept apart, it leaves the others as they are.
    raised = ("other", sample([[0.2, 9.0]], [[1.0, 2.0]], [[0.3]]))
    measured = row(records([*one(lowered), raised], "advantage"))
    assert (measured["records"], measured["sign_agreement"]) == (1, 1.0)
    assert measured["slope"] == pytest.approx(0.3 / 4.5)


def test_agreement_is_told_for_every_kind_of_record() -> None:
    found = row(
        exactly(
            [1.0, 1.0, 1.0, 1.0],
            [1.0, -1.0, -1.0, 1.0],
            certain_change=[True, True, False, True],
            certain=[True, False, True, True],
        )
    )
    shares = [found[f"{name}_agreement"] for name in ("sign", "changed", "resolved")]
    assert shares == pytest.approx([0.5, 2 / 3, 1.0])
    assert [found[name] for name in ("records", "changed", "resolved")] == [4, 3, 2]


# --- intervals ---


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_estimates_lie_in_their_own_intervals(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(4, 40))
    true = generator.normal(size=count)
    found = row(
        exactly(
            true.tolist(),
            (true + generator.normal(size=count)).tolist(),
            "".join(generator.choice(list("abc"), count)),
            certain=list(generator.random(count) < 0.7),
            certain_change=list(generator.random(count) < 0.7),
        )
    )
    for name in ("sign_agreement", "changed_agreement", "slope", "rank_correlation"):
        low, estimate, high = (found[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert math.isnan(low) or low <= estimate <= high, name


def test_more_records_of_a_cell_are_no_more_cells() -> None:
    # Each cell is right or wrong throughout: 40 records are no more than four trials say.
    predicted, realised = [1.0] * 40, [1.0] * 30 + [-1.0] * 10
    together = sign_agreement(exactly(predicted, realised, "".join(c * 10 for c in "abcd")))
    apart = sign_agreement(exactly(predicted, realised))
    assert together.estimate == apart.estimate == 0.75
    assert together.low < 0.3 < 0.55 < apart.low


def test_one_cell_gives_no_bounds() -> None:
    found = exactly([1.0, 2.0, 3.0], [1.0, 3.0, 2.0], "aaa")
    for measure in (sign_agreement, calibration_slope, rank_correlation):
        interval: Interval = measure(found)
        assert not math.isnan(interval.estimate)
        assert math.isnan(interval.low)


def test_no_interval_has_no_width() -> None:
    two = exactly([1.0, 2.0, 1.0, 2.0], [2.0, 1.0, 2.0, 1.0], "aabb")
    equal = exactly([1.0, 2.0] * 3, [2.0, 4.0] * 3, "aabbcc")
    for found in (calibration_slope(two), rank_correlation(two), calibration_slope(equal)):
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    certain = sign_agreement(equal)
    assert certain.low < certain.estimate == certain.high == 1.0


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
    steps = []
    for number, each in enumerate(true):
        update = each + 0.02 * generator.normal(size=(200, 4))
        signal = each / 2 + 0.02 * generator.normal(size=(200, 4))
        realised = each[:3] + 0.02 * generator.normal(size=(200, 3))
        predictors = {("update", 1.0): update, ("advantage", 1.0): signal}
        steps.append((str(number), StepSample(predictors, UNUSED, {1.0: realised}, {1.0: 0.25})))
    for kind in ("update", "advantage"):
        found = row(records(steps, kind))
        assert found["slope"] == pytest.approx(1.0, abs=0.02)
        assert found["resolved_agreement"] == 1.0
        assert found["rank_correlation"] > 0.99
        assert found["slope_low"] <= found["slope"] <= found["slope_high"]
