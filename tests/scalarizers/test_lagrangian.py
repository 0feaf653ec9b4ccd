import math

import pytest
import torch

from benchmark.scalarizers import Lagrangian

NAMES = ["main", "b", "c"]
GROUPS = torch.tensor([0, 0])
ADVANTAGES = torch.tensor([[1.0, 2.0, -1.0], [-1.0, -2.0, 1.0]])


def test_duals_move_first_and_then_weigh_the_same_batch() -> None:
    lagrangian = Lagrangian(NAMES, step_size=0.5, thresholds=[0.9, 0.5])
    # Means .4 and .75: duals .5 * .5 = .25 and max(0, .5 * -.25) = 0. A = +-(1 + .25 * 2).
    rewards = torch.tensor([[1.0, 0.3, 0.5], [0.0, 0.5, 1.0]])
    combined = lagrangian.combine(ADVANTAGES, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([1.5, -1.5])
    # Means 1.2 and .1: duals .25 - .15 = .1 and .5 * .4 = .2. A = +-(1 + .2 - .2).
    rewards = torch.tensor([[1.0, 1.2, 0.1], [0.0, 1.2, 0.1]])
    combined = lagrangian.combine(ADVANTAGES, rewards, GROUPS)
    assert combined.tolist() == pytest.approx([1.0, -1.0])
    metrics = lagrangian.metrics()
    assert metrics == pytest.approx(
        {"weight/main": 1, "weight/b": 0.1, "weight/c": 0.2, "dual/b": 0.1, "dual/c": 0.2}
    )


def test_defaults_are_the_studys() -> None:
    lagrangian = Lagrangian(NAMES)
    lagrangian.combine(ADVANTAGES, torch.zeros(2, 3), GROUPS)
    # One step of .01 * .9.
    assert lagrangian.metrics()["dual/b"] == pytest.approx(0.009)
    assert lagrangian.metrics()["dual/c"] == pytest.approx(0.009)


def test_satisfied_constraints_have_no_say() -> None:
    combined = Lagrangian(NAMES).combine(ADVANTAGES, torch.ones(2, 3), GROUPS)
    assert torch.equal(combined, ADVANTAGES[:, 0])


def test_one_objective_is_unconstrained() -> None:
    lagrangian = Lagrangian(["main"])
    combined = lagrangian.combine(ADVANTAGES[:, :1], torch.zeros(2, 1), GROUPS)
    assert torch.equal(combined, ADVANTAGES[:, 0])
    assert lagrangian.metrics() == {"weight/main": 1.0}


def test_dual_ignores_inapplicable_rewards() -> None:
    lagrangian = Lagrangian(NAMES, step_size=1.0)
    rewards = torch.tensor([[1.0, 0.4, math.nan], [1.0, math.nan, math.nan]])
    lagrangian.combine(ADVANTAGES, rewards, GROUPS)
    # b: .9 - .4 over the one completion it applies to; c: no evidence.
    assert lagrangian.metrics()["dual/b"] == pytest.approx(0.5)
    assert lagrangian.metrics()["dual/c"] == 0.0


def test_gains_answer_to_what_lacks_now_and_to_a_fall() -> None:
    lagrangian = Lagrangian(
        ["main", "b"], step_size=0.1, thresholds=[0.8], proportional=0.5, derivative=2.0
    )
    duals = []
    for mean in (0.6, 0.3, 0.9, 0.9):
        rewards = torch.tensor([[1.0, mean], [0.0, mean]])
        lagrangian.combine(ADVANTAGES[:, :2], rewards, GROUPS)
        duals.append(lagrangian.metrics()["dual/b"])
    # Lacking .2, .5, -.1, -.1: integrals .02, .07, .06, .05; a fall of .3 before the second.
    expected = [0.02 + 0.1, 0.07 + 0.25 + 0.6, 0.06 - 0.05, 0.05 - 0.05]
    assert duals == pytest.approx(expected, abs=1e-6)


def test_multiplier_is_never_negative_and_its_integral_neither() -> None:
    lagrangian = Lagrangian(["main", "b"], step_size=1.0, thresholds=[0.5], proportional=1.0)
    for mean, dual in ((1.0, 0.0), (0.4, 0.2)):
        rewards = torch.tensor([[1.0, mean], [0.0, mean]])
        lagrangian.combine(ADVANTAGES[:, :2], rewards, GROUPS)
        assert lagrangian.metrics()["dual/b"] == pytest.approx(dual)


def test_batch_without_the_objective_leaves_its_controller_alone() -> None:
    lagrangian = Lagrangian(["main", "b"], proportional=1.0, derivative=1.0)
    for mean in (0.6, math.nan, 0.4):
        rewards = torch.tensor([[1.0, mean], [0.0, mean]])
        lagrangian.combine(ADVANTAGES[:, :2], rewards, GROUPS)
        if math.isnan(mean):
            assert lagrangian.metrics()["dual/b"] == pytest.approx(0.003 + 0.3)
    assert lagrangian.metrics()["dual/b"] == pytest.approx(0.008 + 0.5 + 0.2)
