import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp

from benchmark.diagnosis.exact.bounds import (
    ascend,
    optimal_mass,
    regularised_bound,
    unregularised_bound,
)
from benchmark.diagnosis.exact.convergence import bounds, example, optimum

SLACK = 1 - 1e-9  # rounding


def states(seed: int, scale: float, count: int = 1000) -> tuple[np.ndarray, np.ndarray, float]:
    """Return logits and rewards (S, Y), and a temperature."""
    generator = np.random.default_rng(seed)
    actions = generator.integers(2, 12)
    logits, rewards = generator.normal(size=(2, count, actions))
    return scale * logits, rewards, float(10 ** generator.uniform(-2, 1))


@pytest.mark.parametrize(("seed", "scale"), enumerate([0.0, 0.1, 0.3, 1, 2, 3, 5, 10, 100, 1000]))
def test_the_regularised_bound_is_never_violated(seed: int, scale: float) -> None:
    logits, rewards, temperature = states(seed, scale)
    bound = regularised_bound(logits, rewards, temperature)
    assert np.isfinite(bound).all()
    assert (bound.gradient >= SLACK * bound.distance).all()
    assert (bound.gradient >= SLACK * 2 * bound.distance).all()  # the sharper constant
    assert scale > 10 or (bound.distance > 0).any()


def test_the_sharper_constant_cannot_be_raised() -> None:
    logits, rewards = np.array([[1e-4, -1e-4]]), np.zeros((1, 2))
    bound = regularised_bound(logits, rewards, 0.5)
    assert bound.gradient[0] / bound.distance[0] == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 1000.0])
def test_the_unregularised_bound_is_never_violated(scale: float) -> None:
    logits, rewards, _ = states(7, scale)
    bound = unregularised_bound(logits, rewards)
    assert np.isfinite(bound).all()
    assert (bound.gradient >= SLACK * bound.distance).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_bounds_sides_match_automatic_differentiation(seed: int) -> None:
    logits, rewards, temperature = states(seed, 1.0, count=4)
    z, r = torch.tensor(logits, requires_grad=True), torch.tensor(rewards)
    policy = torch.softmax(z, dim=-1)
    regularised = (policy * (r - temperature * torch.log_softmax(z, dim=-1))).sum(dim=-1)
    (slopes,) = torch.autograd.grad(regularised.sum(), z, retain_graph=True)
    bound = regularised_bound(logits, rewards, temperature)
    np.testing.assert_allclose(bound.gradient, 0.5 * (slopes**2).sum(dim=-1), rtol=1e-9)
    gap = temperature * torch.logsumexp(r / temperature, dim=-1) - regularised
    smallest = policy.min(dim=-1).values ** 2
    expected = (temperature * smallest * gap).detach()
    np.testing.assert_allclose(bound.distance, expected, rtol=1e-7, atol=1e-14)

    (slopes,) = torch.autograd.grad((policy * r).sum(), z)
    found = unregularised_bound(logits, rewards)
    np.testing.assert_allclose(found.gradient, slopes.norm(dim=-1), rtol=1e-9)
    best = r.argmax(dim=-1, keepdim=True)
    gap = r.gather(1, best)[:, 0] - (policy * r).sum(dim=-1)
    expected = (policy.gather(1, best)[:, 0] * gap).detach()
    np.testing.assert_allclose(found.distance, expected, rtol=1e-9)


def test_the_regularised_optimum_is_the_best() -> None:
    logits, rewards, temperature = states(3, 2.0)
    best = temperature * logsumexp(rewards / temperature, axis=-1)
    optimal = log_softmax(rewards / temperature, axis=-1)

    def value(own: np.ndarray) -> np.ndarray:
        logs = log_softmax(own, axis=-1)
        return np.sum(np.exp(logs) * (rewards - temperature * logs), axis=-1)

    np.testing.assert_allclose(value(optimal), best, rtol=1e-9)
    assert (value(logits) <= best).all()
    np.testing.assert_allclose(
        regularised_bound(optimal, rewards, temperature).gradient, 0, atol=1e-20
    )


def test_the_mass_on_optimal_completions_counts_ties() -> None:
    policy = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    values = np.array([[[1.0, 0], [1, 2], [0, 1]], [[0.0, 5], [3, 5], [1, 5]]])
    np.testing.assert_allclose(optimal_mass(policy, values), [(0.8 + 0.2) / 2, (0.3 + 1) / 2])


def test_an_ascent_raises_the_score_to_its_optimum() -> None:
    rewards = np.random.default_rng(0).uniform(size=(2, 4, 3))
    weights = np.array([0.5, 0.3, 0.2])
    path = ascend(np.zeros((2, 4)), rewards, weights, step_size=2.0, steps=4000)
    best = (rewards @ weights).max(axis=1).mean()
    assert (np.diff(path.score) > 0).all()
    assert path.score[-1] == pytest.approx(best, abs=2e-3)
    assert path.mass[-1, 0] > 0.98
    np.testing.assert_allclose(path.objectives @ weights, path.score)


def test_the_example_loses_an_objective() -> None:
    path = example()
    first, last = path.iloc[0], path.iloc[-1]
    assert first["covariance_2"] == pytest.approx(0.445 / 3 - (1.15 / 3) * (1.1 / 3))  # uniform π
    assert first["covariance_2"] > 0
    assert last["score"] == pytest.approx(0.5, abs=1e-3)
    assert last["mass"] > 0.99
    assert last["objective_2"] < 0.01 < first["objective_2"]
    assert (path["gradient"] >= SLACK * path["bound"]).all()


def test_tables_of_convergence_count_what_they_say() -> None:
    table = bounds(1000, np.random.default_rng(0)).set_index("bound")
    assert (table["problems"] >= 1000).all()
    assert (table["violations"] == 0).all()
    assert table.loc["entropy-regularised", "smallest_ratio"] >= 2 * SLACK
    falls = optimum(300, np.random.default_rng(0)).set_index("objectives")
    assert falls.loc["all", "pairs"] == 900
    parts = falls.loc[["positive covariance", "negative covariance"]]
    assert parts["pairs"].sum() == 900
    total = (parts["pairs"] * parts["falls"]).sum() / 900
    assert falls.loc["all", "falls"] == pytest.approx(total)
    assert 0 < parts["falls"].iloc[0] < 0.5 < parts["falls"].iloc[1]
