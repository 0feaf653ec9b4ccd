"""What weights can do to first order: values by hand, and the theorem's two sides."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.covariance import group_covariance, reward_covariance
from benchmark.diagnosis.weights import certificate, reached, split

SEEDS = st.integers(0, 100_000)


def random_covariance(seed: int, count: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    factor = generator.normal(size=(count, count + 2)) * generator.uniform(0.1, 10, (count, 1))
    return factor @ factor.T


def normalised(sigma: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return C u of weights in the rewards' units."""
    deviations = np.sqrt(np.diag(sigma))
    shares = weights * deviations
    return sigma @ weights / deviations / shares.sum()


def test_uncorrelated_objectives_share_what_can_be_had() -> None:
    found = certificate(np.diag([1.0, 4.0]))
    assert found.value == pytest.approx(0.5)
    assert found.weights == pytest.approx([2 / 3, 1 / 3])  # equal in units of their deviations


@pytest.mark.parametrize("correlation", [-0.9, -0.2, 0.3])
def test_the_value_of_two_objectives(
    correlation: float,
) -> None:
    sigma = np.array([[1.0, 2 * correlation], [2 * correlation, 4.0]])
    assert certificate(sigma).value == pytest.approx((1 + correlation) / 2)


def test_opposed_objectives_are_a_perfect_trade_off() -> None:
    sigma = np.array([[1.0, -2.0, 0.3], [-2.0, 4.0, -0.6], [0.3, -0.6, 1.0]])
    found = certificate(sigma)
    assert found.value == pytest.approx(0.0, abs=1e-9)
    assert found.trade_off == pytest.approx([2 / 3, 1 / 3, 0.0])
    assert sigma @ found.trade_off == pytest.approx([0, 0, 0], abs=1e-9)


def test_an_objective_that_never_varies_has_no_part() -> None:
    sigma = np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 0.0], [0.5, 0.0, 1.0]])
    found = certificate(sigma)
    assert found.value == pytest.approx(0.75)
    assert found.weights == pytest.approx([0.5, 0.0, 0.5])
    assert math.isnan(certificate(np.zeros((2, 2))).value)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(2, 6))
def test_weights_reach_what_the_trade_off_allows(seed: int, count: int) -> None:
    sigma = random_covariance(seed, count)
    found = certificate(sigma)
    assert normalised(sigma, found.weights).min() == pytest.approx(found.value, abs=1e-7)
    assert normalised(sigma, found.trade_off).max() == pytest.approx(found.value, abs=1e-7)
    assert found.weights.sum() == pytest.approx(1)
    assert found.trade_off.sum() == pytest.approx(1)
    assert -1e-9 <= found.value <= 1


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(2, 5))
def test_scales_of_objectives_do_not_matter(seed: int, count: int) -> None:
    sigma = random_covariance(seed, count)
    scale = np.diag(np.random.default_rng(seed + 1).uniform(0.01, 100, count))
    assert certificate(scale @ sigma @ scale).value == pytest.approx(certificate(sigma).value)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(2, 5))
def test_no_weights_reach_more_than_the_best(seed: int, count: int) -> None:
    sigma = random_covariance(seed, count)
    weights = np.random.default_rng(seed + 1).dirichlet(np.ones(count))
    found = reached(sigma @ weights, sigma)
    assert found == pytest.approx(normalised(sigma, weights).min(), abs=1e-7)
    assert found <= certificate(sigma).value + 1e-7


def test_a_signal_is_read_as_a_linear_score() -> None:
    generator = torch.Generator().manual_seed(0)
    rewards = torch.randn(64, 3, generator=generator).double()
    noise = torch.randn(64, generator=generator).double()
    groups = torch.arange(64) // 64
    basis = torch.cat([rewards - rewards.mean(dim=0), torch.ones(64, 1)], dim=1)
    noise -= basis @ torch.linalg.lstsq(basis, noise[:, None]).solution[:, 0]  # uncorrelated
    weights = torch.tensor([0.5, 0.2, 0.3]).double()
    sigma = reward_covariance(rewards, groups).numpy()
    with_noise = group_covariance(rewards, rewards @ weights + noise, groups).numpy()
    expected = normalised(sigma, weights.numpy()).min()
    assert reached(with_noise, sigma) == pytest.approx(expected)


def test_a_signal_without_covariance_reaches_nothing() -> None:
    assert math.isnan(reached(np.zeros(2), np.eye(2)))


@settings(deadline=None)
@given(SEEDS)
def test_a_trade_off_never_varies(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first = generator.normal(size=(40, 1))
    rewards = torch.tensor(np.hstack([first, 3 - 2 * first, generator.normal(size=(40, 1))]))
    groups = torch.arange(40) % 5
    sigma = reward_covariance(rewards, groups).numpy()
    found = certificate(sigma)
    assert found.value == pytest.approx(0, abs=1e-9)
    mixed = rewards.numpy() @ found.trade_off
    assert mixed.std() == pytest.approx(0, abs=1e-9)


# --- training's rewards are not evaluation's ---


def jointly(evaluated: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Return the covariance (2M, 2M) of rewards (n, M) of both kinds."""
    return np.cov(np.hstack([evaluated, trained]).T, bias=True)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(2, 4))
def test_equal_rewards_make_no_difference(seed: int, count: int) -> None:
    rewards = np.random.default_rng(seed).normal(size=(40, count))
    cross, deviations = split(jointly(rewards, rewards))
    expected, found = certificate(cross), certificate(cross, deviations)
    assert found.value == pytest.approx(expected.value)
    signal = cross @ np.ones(count)
    assert reached(signal, cross, deviations) == pytest.approx(reached(signal, cross))


def test_weights_cannot_act_on_a_reward_that_is_constant() -> None:
    # Conciseness is 1 for a whole batch: only the other's weight is left, and it asks for a fall.
    generator = np.random.default_rng(0)
    first = generator.normal(size=400)
    second = -first + 0.1 * generator.normal(size=400)
    evaluated = np.stack([first, second], axis=1)
    trained = np.stack([first, np.ones(400)], axis=1)
    cross, deviations = split(jointly(evaluated, trained))
    found = certificate(cross, deviations)
    assert certificate(np.cov(evaluated.T)).value > 0  # evaluation's rewards would say otherwise
    assert found.value == pytest.approx(np.corrcoef(first, second)[0, 1])
    assert found.weights.tolist() == [1.0, 0.0]
    assert found.trade_off.tolist() == [0.0, 1.0]
    assert reached(cross[:, 0], cross, deviations) == pytest.approx(found.value)
