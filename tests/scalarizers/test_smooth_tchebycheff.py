import math

import pytest
import torch

from benchmark.scalarizers import Feedback, SmoothTchebycheff

REWARDS = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.8]])
FEEDBACK = Feedback(REWARDS, torch.zeros(3))


def shares(scalarizer: SmoothTchebycheff) -> list[float]:
    metrics = scalarizer.metrics()
    return [metrics[f"weight/{name}"] for name in scalarizer.objectives]


def test_score_starts_at_the_preference_weights() -> None:
    scores = SmoothTchebycheff(["a", "b"], [1, 3]).score(REWARDS)
    assert scores.tolist() == pytest.approx([0.25, 0.5, 0.6])


def test_weights_follow_the_weighted_gap_of_the_mean() -> None:
    smooth = SmoothTchebycheff(["a", "b"], [1, 3], step_size=2.0)
    smooth.update(FEEDBACK)
    # z = (1, .8), means (.5, 1.3 / 3): steps 2 * .25 * .5 = .25 and 2 * .75 * 1.1 / 3 = .55.
    first, second = 0.25 * math.exp(0.25), 0.75 * math.exp(0.55)
    expected = [first / (first + second), second / (first + second)]
    assert shares(smooth) == pytest.approx(expected)
    assert smooth.score(REWARDS)[0].item() == pytest.approx(expected[0])
    # z stays (1, .8) although this batch is worse; means (0, 0): steps .5 and 1.2.
    smooth.update(Feedback(torch.zeros(2, 2), torch.zeros(2)))
    first, second = first * math.exp(0.5), second * math.exp(1.2)
    assert shares(smooth) == pytest.approx([first / (first + second), second / (first + second)])


def test_temperature_sharpens_the_softmax() -> None:
    # u / T = 2 log w: weights 1 to 9.
    assert shares(SmoothTchebycheff(["a", "b"], [1, 3], temperature=0.5)) == pytest.approx(
        [0.1, 0.9]
    )


def test_fixed_reference_point_stays() -> None:
    smooth = SmoothTchebycheff(["a", "b"], step_size=1.0, reference_point=[0.5, 1.5])
    smooth.update(Feedback(torch.tensor([[2.0, 1.5]]), torch.zeros(1)))
    # Gaps (-1.5, 0), halved: weights e^-.75 to 1.
    first = math.exp(-0.75) / (1 + math.exp(-0.75))
    assert shares(smooth) == pytest.approx([first, 1 - first])
    assert smooth.metrics()["reference_point/a"] == 0.5


def test_inapplicable_objective_learns_nothing() -> None:
    smooth = SmoothTchebycheff(["a", "b"], [1, 3], step_size=1.0)
    smooth.update(Feedback(torch.tensor([[0.5, math.nan], [0.5, math.nan]]), torch.zeros(2)))
    assert shares(smooth) == pytest.approx([0.25, 0.75])
    assert "reference_point/b" not in smooth.metrics()


def test_objective_of_weight_zero_stays_out() -> None:
    smooth = SmoothTchebycheff(["a", "b"], [1, 0])
    smooth.update(FEEDBACK)
    assert shares(smooth) == [1.0, 0.0]


def test_study_values_are_the_defaults() -> None:
    smooth = SmoothTchebycheff(["a", "b"])
    assert (smooth.step_size, smooth.temperature, smooth.running) == (0.3, 1.0, True)
