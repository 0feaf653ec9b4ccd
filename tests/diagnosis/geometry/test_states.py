"""Saturation, mass on optimal completions, curvature, and what a probe is refused for."""

import math

import numpy as np
import pytest
import torch
from tiny_policies import make_policy

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.geometry.states import (
    check_memory,
    check_rewards,
    optimal_mass,
    probe_bytes,
    saturation,
    update_curvature,
)


def test_saturation_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf, -torch.inf], [100.0, 0.0, 0.0, 0.0]])
    found = saturation(logits)
    assert found.entropy == pytest.approx(math.log(2) / 2)
    assert found.largest == pytest.approx(0.75)
    assert found.saturated == 0.5


def test_optimal_mass_by_hand() -> None:
    rewards = np.array(
        [[[1, 0.5], [0, 1]], [[1, 1], [1, 0]], [[1, 0], [0, 0]], [[0, 1], [0, 0]]]
    )  # 4 prompts × 2 completions
    first, second, both = optimal_mass(rewards, [1, 1], [0.5, 0.5])
    shares = np.array([0.5, 1, 0.5, 0])
    assert first.estimate == 0.5
    assert first.high - 0.5 == pytest.approx(3.182446 * shares.std(ddof=1) / 2)
    assert second.estimate == pytest.approx(3 / 8)
    assert both.estimate == pytest.approx(1 / 8)


def test_mass_never_seen_is_not_known_to_be_zero() -> None:
    (found, _) = optimal_mass(np.zeros((20, 2, 1)), [1], [1])
    assert (found.estimate, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_unbounded_rewards_have_no_optimal_mass() -> None:
    found = optimal_mass(np.ones((3, 2, 2)), [1, math.inf], [0.5, 0.5])
    assert [math.isnan(interval.estimate) for interval in found] == [False, True, True]
    assert optimal_mass(np.ones((3, 2, 2)), [1, math.inf], [1, 0])[2].estimate == 1


def test_curvature_of_a_quadratic_is_exact() -> None:
    hessian, start, step = np.array([[2.0, 1], [1, -4]]), np.array([1.0, 2]), np.array([0.3, -0.1])
    value = [0.5 * p @ hessian @ p for p in (start, start + step)]
    slopes = [(hessian @ p) @ step for p in (start, start + step)]
    length = float(np.linalg.norm(step))
    expected = step @ hessian @ step / length**2
    assert update_curvature(value[:1], value[1:], slopes[:1], length) == pytest.approx([expected])
    assert (slopes[1] - slopes[0]) / length**2 == pytest.approx(expected)
    assert np.isnan(update_curvature([1, 2], [1, 2], [0, 0], 0.0)).all()


def test_unusable_rewards_are_refused() -> None:
    rewards = np.zeros((2, 2, 2))
    assert check_rewards(rewards, ["a", "b"]) is not None
    with pytest.raises(CrosstalkError, match="expected 2 or more completions per prompt, got 1"):
        check_rewards(rewards[:, :1], ["a", "b"])
    rewards[1, 0, 1] = math.nan
    with pytest.raises(CrosstalkError, match="rewards of b: 1 are not finite, the first nan of pr"):
        check_rewards(rewards, ["a", "b"])


def test_a_probe_larger_than_memory_is_refused() -> None:
    model = make_policy()
    needed = probe_bytes(model, 4, 8)
    check_memory(model, 4, 8, needed)
    with pytest.raises(CrosstalkError, match=r"4 states of 8 tokens need about .* GiB are free"):
        check_memory(model, 4, 8, needed - 1)
    assert probe_bytes(model, 16, 8) > needed
    with pytest.raises(CrosstalkError, match="take fewer"):
        check_memory(model, 10**9, 8)  # against what the machine has
