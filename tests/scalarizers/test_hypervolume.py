import math

import pytest
import torch

from benchmark.scalarizers import Feedback, Hypervolume, Signal

ADVANTAGES = torch.tensor([[1.0, 2.0], [-1.0, 0.0]])
REWARDS, GROUPS = torch.zeros(2, 2), torch.zeros(2)


def validated(scalarizer: Hypervolume, *point: float) -> float:
    """Tell of a validation and return the multiplier after it."""
    scalarizer.update(Feedback(REWARDS, GROUPS, validation=torch.tensor(point)))
    return scalarizer.combine(torch.ones(1, 2), REWARDS[:1], GROUPS[:1]).item()


def after_gain(gain: float) -> float:
    return pytest.approx(0.5 + 1.5 * math.tanh(gain), abs=1e-6)


def test_advantages_are_summed_by_weight_and_multiplied() -> None:
    hypervolume = Hypervolume(["a", "b"], [1, 3])
    # (.25 + 1.5) / 2 and -.25 / 2.
    assert hypervolume.combine(ADVANTAGES, REWARDS, GROUPS).tolist() == [0.875, -0.125]
    assert hypervolume.metrics() == {"weight/a": 0.125, "weight/b": 0.375}


def test_multiplier_follows_the_volume_gained() -> None:
    hypervolume = Hypervolume(["a", "b"])
    assert validated(hypervolume, 0.2, 0.2) == 0.5  # the initial point
    assert validated(hypervolume, 0.4, 0.7) == after_gain(0.2 * 0.5)
    assert validated(hypervolume, 0.6, 0.4) == after_gain(0.2 * 0.2)  # right of the last, .2 high
    assert validated(hypervolume, 0.3, 0.3) == 0.5  # dominated
    assert validated(hypervolume, 0.9, 0.1) == 0.5  # worse than at first under b
    # .6 * .7 in all, less .1 + .04 there already.
    assert validated(hypervolume, 0.8, 0.9) == after_gain(0.28)


def test_multiplier_lasts_until_the_next_validation() -> None:
    hypervolume = Hypervolume(["a", "b"])
    validated(hypervolume, 0.2, 0.2)
    assert validated(hypervolume, 0.4, 0.7) == after_gain(0.1)
    assert validated(hypervolume, 0.4, 0.7) == after_gain(0.1)  # as every update repeats it
    hypervolume.update(Feedback(REWARDS, GROUPS))
    assert validated(hypervolume, math.nan, 0.9) == after_gain(0.1)


def test_front_of_any_size_survives_a_checkpoint() -> None:
    original, restored = Hypervolume(["a", "b"]), Hypervolume(["a", "b"])
    for point in [(0.2, 0.2), (0.4, 0.7), (0.6, 0.4), (0.5, 0.5)]:
        validated(original, *point)
    assert original.state["front"].shape == (3, 2)
    restored.load_state_dict(original.state_dict())
    # .2 wide and .2 high already: (.6, .5) adds .1 * .1 beyond (.6, .4) and (.5, .5).
    assert validated(restored, 0.6, 0.5) == validated(original, 0.6, 0.5) == after_gain(0.01)


def test_validation_is_asked_for() -> None:
    assert Hypervolume.requires == {Signal.VALIDATION}
