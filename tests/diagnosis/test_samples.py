"""Measurements of a diagnosis: as a table and back, as evidence, as metrics."""

import numpy as np
import pytest

from benchmark.diagnosis.attribution import CAUSES, attribute
from benchmark.diagnosis.law import StepSample, prompt_covariances
from benchmark.diagnosis.samples import from_frame, gather_evidence, step_metrics, to_frame

NAMES = ("a", "b")


def made_up(seed: int = 0, prompts: int = 50, *, trade_off: bool = False) -> StepSample:
    """A step at which a gains what b loses: the signal is a's reward alone, whatever b's is."""
    generator = np.random.default_rng(seed)
    rewards = generator.normal(size=(prompts, 8, 2))
    rewards[..., 1] -= rewards[..., 0]
    if trade_off:
        rewards[..., 1] = -2 * rewards[..., 0]
    signal = rewards[..., 0]
    extended = np.concatenate([rewards, signal[..., None]], axis=2)
    kinds = ("update", "score", "advantage", "weight", "unclipped_weight")
    predictors = {(kind, 1.0): prompt_covariances(extended, signal) for kind in kinds}
    for column, name in enumerate(NAMES):
        predictors[f"reward/{name}", 1.0] = prompt_covariances(extended, rewards[..., column])
    noise = 0.1 * generator.normal(size=(prompts, 2))
    metrics = {"step_length": 2.0, "geometry/pl_ratio/score": 0.25}
    return StepSample(predictors, {1.0: np.array([0.5, -0.5]) + noise}, {1.0: 0.125}, metrics)


def test_a_table_holds_every_measurement_and_gives_it_back() -> None:
    samples = {0: made_up(0), 20: made_up(1, prompts=3)}
    found = from_frame(to_frame(samples, NAMES), NAMES)
    assert found.keys() == samples.keys()
    for step, sample in samples.items():
        own = found[step]
        assert own.clipped == sample.clipped
        assert own.metrics == sample.metrics
        assert own.predictors.keys() == sample.predictors.keys()
        for key, values in sample.predictors.items():
            np.testing.assert_array_equal(own.predictors[key], values)
        np.testing.assert_array_equal(own.realised[1.0], sample.realised[1.0])


@pytest.mark.parametrize(("trade_off", "cause"), [(False, "weights"), (True, "trade-off")])
def test_an_objective_that_the_signal_asks_to_fall_is_traced_to_it(
    trade_off: bool, cause: str
) -> None:
    samples = [made_up(seed, trade_off=trade_off) for seed in range(3)]
    generator = np.random.default_rng(0)
    found = gather_evidence(samples, NAMES, generator, clipping=False, resamples=20)
    assert found.advantage.shape == (20, 3, 2)
    assert found.declined.tolist() == [[False, True]] * 3
    shares = attribute(found)
    assert np.isnan(shares[0]).all()
    assert shares[1, CAUSES.index(cause)] == 1.0


def test_prompts_are_drawn_together_so_that_covariances_stay_consistent() -> None:
    (found,) = [gather_evidence([made_up()], NAMES, np.random.default_rng(0), clipping=False)]
    # The signal is a's reward: its covariances are the first row of the rewards' covariance.
    spread = found.advantage[:, 0, 0]
    assert spread.std() > 0
    np.testing.assert_allclose(found.first_order, found.advantage)


def test_a_steps_metrics_are_named_by_quantity_and_objective() -> None:
    sample = made_up()
    metrics = step_metrics(sample, NAMES)
    assert metrics["diagnosis/realised/1/b"] == sample.realised[1.0][:, 1].mean()
    error = sample.realised[1.0][:, 1].std(ddof=1) / np.sqrt(50)
    assert metrics["diagnosis/realised/1/standard_error/b"] == pytest.approx(error)
    assert metrics["diagnosis/clipped_fraction/1"] == 0.125
    assert (
        metrics["diagnosis/covariance/advantage/a"]
        > 0
        > metrics["diagnosis/covariance/advantage/b"]
    )
    assert metrics["diagnosis/geometry/pl_ratio/score"] == 0.25
    first_order = metrics["diagnosis/covariance/update/b"]
    expected = 2 * (metrics["diagnosis/realised/1/b"] - first_order) / 2.0**2
    assert metrics["diagnosis/curvature/b"] == pytest.approx(expected)
    # r_b = e - r_a with e as wide as r_a: their correlation is -1/sqrt(2).
    assert metrics["diagnosis/avoidable/best"] == pytest.approx((1 - 2**-0.5) / 2, abs=0.05)
    assert metrics["diagnosis/avoidable/reached"] < 0
    assert metrics["diagnosis/avoidable/weight/a"] > metrics["diagnosis/avoidable/weight/b"]
