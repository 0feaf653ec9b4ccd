import math

import pytest
import torch

from benchmark.scalarizers import CTWA, Feedback, Signal

# One prompt. Objective a follows the first pattern, b the second; the patterns are orthogonal.
FIRST, SECOND = torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0, 1.0])
REWARDS = torch.stack([FIRST, SECOND], dim=1)


def feedback(weights: torch.Tensor, rewards: torch.Tensor = REWARDS) -> Feedback:
    groups = torch.zeros(len(weights))
    return Feedback(rewards=rewards, groups=groups, completion_weights=weights)


def log_growth(ctwa: CTWA) -> list[float]:
    """Return how far the log weights have moved."""
    metrics = ctwa.metrics()
    now = torch.tensor([metrics[f"weight/{name}"] for name in ctwa.objectives])
    return (now.log() - ctwa.weights.log()).tolist()


def test_weights_rise_by_the_smoothed_deficit() -> None:
    ctwa = CTWA(["a", "b"])
    # w = .8 (a - 1/2): covariances .8 * 1/4 = .2 and 0, the first averages. Targets .15 and .08:
    # deficits 0 and .08, so that u_b grows by .05 * .08 = .004.
    ctwa.update(feedback(0.8 * (FIRST - 0.5)))
    assert log_growth(ctwa) == pytest.approx([0.0, 0.004], abs=1e-6)
    assert ctwa.metrics()["target_deficit/b"] == pytest.approx(0.08)
    # w = .8 (b - 1/2): covariances 0 and .2; averages .9 * .2 = .18 and .1 * .2 = .02; deficits 0
    # and .06, another .003.
    ctwa.update(feedback(0.8 * (SECOND - 0.5)))
    assert log_growth(ctwa) == pytest.approx([0.0, 0.007], abs=1e-6)
    assert ctwa.metrics()["average_covariance/a"] == pytest.approx(0.18)
    assert ctwa.metrics()["average_covariance/b"] == pytest.approx(0.02)


def test_score_uses_unnormalised_exponential_weights() -> None:
    ctwa = CTWA(["a", "b"], [1, 3], step_size=1.0, targets=[0.2, math.log(2)])
    assert ctwa.score(REWARDS).tolist() == pytest.approx([0.25, 0.0, 1.0, 0.75])
    # Covariances .2 and 0 leave a alone and double b: weights .25 and 1.5.
    ctwa.update(feedback(0.8 * (FIRST - 0.5)))
    assert ctwa.score(REWARDS).tolist() == pytest.approx([0.25, 0.0, 1.75, 1.5])


def test_study_values_are_the_defaults() -> None:
    ctwa = CTWA(["accuracy", "conciseness", "clarity"])
    assert ctwa.targets.tolist() == pytest.approx([0.15, 0.08, 0.08])
    assert ctwa.objective_targets.tolist() == pytest.approx([1.0, 0.95, 0.95])
    assert (ctwa.smoothing, ctwa.step_size, ctwa.use_correlation) == (0.1, 0.05, False)
    assert ctwa.requires == {Signal.COMPLETION_WEIGHTS}


def test_reached_objective_is_gated() -> None:
    ctwa = CTWA(["a", "b"], objective_targets=[0.5, 0.6])
    # Both means are .5, both covariances 0: only b is below its target, deficit .08.
    ctwa.update(feedback(torch.tensor([1.0, -1.0, -1.0, 1.0])))
    assert log_growth(ctwa) == pytest.approx([0.0, 0.004], abs=1e-6)
    assert ctwa.metrics()["target_deficit/a"] == 0.0


def test_correlation_has_no_scale() -> None:
    growth = []
    for scale in (0.001, 1.0, 1000.0):
        ctwa = CTWA(["a", "b"], use_correlation=True, targets=[0.5, 0.9])
        # w = a + b: correlations 1/2 / (1/2 * sqrt(1/2)) / ... = sqrt(1/2) each.
        ctwa.update(feedback(scale * (FIRST + SECOND)))
        growth.append(log_growth(ctwa))
    expected = [0.0, 0.05 * (0.9 - math.sqrt(0.5))]
    assert growth == [pytest.approx(expected, abs=1e-6)] * 3


def test_inapplicable_objective_learns_nothing() -> None:
    ctwa = CTWA(["a", "b"])
    absent = torch.stack([FIRST, torch.full((4,), math.nan)], dim=1)
    ctwa.update(feedback(0.8 * (FIRST - 0.5), absent))
    assert log_growth(ctwa) == pytest.approx([0.0, 0.0], abs=1e-7)
    assert "average_covariance/b" not in ctwa.metrics()
    # The first covariance seen, here 0, starts the average; the next is .2, a tenth of it counts.
    ctwa.update(feedback(0.8 * (FIRST - 0.5)))
    ctwa.update(feedback(0.8 * (SECOND - 0.5)))
    average = ctwa.metrics()["average_covariance/b"]
    assert average == pytest.approx(0.02)
    # An average there already is kept.
    ctwa.update(feedback(0.8 * (FIRST - 0.5), absent))
    assert ctwa.metrics()["average_covariance/b"] == average


def test_objective_of_weight_zero_stays_out() -> None:
    ctwa = CTWA(["a", "b"], [1, 0])
    ctwa.update(feedback(0.8 * (FIRST - 0.5)))
    assert ctwa.metrics()["weight/b"] == 0.0
    assert ctwa.score(REWARDS).tolist() == FIRST.tolist()


def test_weights_stay_finite_under_a_target_out_of_reach() -> None:
    ctwa = CTWA(["a", "b"], step_size=10.0, targets=[0.0, 100.0])
    for _ in range(3):
        ctwa.update(feedback(0.8 * (FIRST - 0.5)))
    assert ctwa.metrics()["weight/b"] == pytest.approx(math.exp(40), rel=1e-5)
    assert ctwa.score(REWARDS).square().sum().isfinite()
