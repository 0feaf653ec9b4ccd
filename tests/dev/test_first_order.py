"""What ``foresight`` promises, on random problems that are enumerated."""

import first_order
import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.covariance import group_covariance
from benchmark.scalarizers import Feedback, Foresight
from benchmark.scalarizers.foresight import signal_parts

EQUAL = torch.full((3,), 1 / 3)


@pytest.mark.parametrize("binary", [False, True])
def test_no_objective_falls_along_the_flow_of_the_undisputed_part(binary: bool) -> None:
    # Completions are counted by how often they occur, so that the policy is a batch at every step
    # of the way; where something is undisputed, the tilt by it raises every objective or none.
    for problem in first_order.problems(8, binary=binary, shared=False):
        rewards = torch.from_numpy(problem.rewards)
        repeats = torch.ones(len(rewards), dtype=torch.long)
        for _ in range(4):
            batch, groups = (x.repeat_interleave(repeats, 0) for x in (rewards, problem.groups))
            last = signal_parts(batch, groups, EQUAL)[:, -1]
            assert (group_covariance(batch, last, groups) >= -1e-9).all()
            first = repeats.cumsum(0) - repeats
            repeats += (last[first] > 0.5).long()


def test_foresees_no_worse_than_with_preference_weights() -> None:
    for problem in first_order.problems(8, binary=False, shared=True):
        scalarizer, step = Foresight(list("abc")), first_order.STEPS["plain gradient, shared"][1]
        rewards = torch.from_numpy(problem.rewards)
        for _ in range(3):
            advantages = scalarizer.combine(rewards, rewards, problem.groups)
            response = scalarizer.response()
            preferred = torch.tensor([0.75 / 3] * 3 + [0.25], dtype=torch.float64)
            worst = (response @ scalarizer.state["parts"]).min()
            assert worst >= (response @ preferred).min() - 1e-9
            moved = step(problem, problem.gradient(advantages.numpy()))
            scalarizer.update(_told(rewards, problem, problem.changes(moved)))


@pytest.mark.parametrize("step", ["natural gradient, shared", "plain gradient, shared"])
def test_every_objective_rises_more_often_after_updates(step: str) -> None:
    drawn = list(first_order.problems(12, binary=False, shared=True))
    own = first_order.STEPS[step][1]

    def risen(title: str) -> int:
        changes = [first_order.found(first_order.METHODS[title], each, own) for each in drawn]
        return sum(bool((change > 0).all()) for change in changes)

    learnt = risen("foresight")
    assert learnt >= 10
    assert learnt > risen("foresight, no update")
    assert learnt > risen("linear")


def _told(rewards: Tensor, problem: first_order.Problem, changes: np.ndarray) -> Feedback:
    before = torch.full((3,), 0.5, dtype=torch.float64)
    after = before - torch.from_numpy(changes)
    return Feedback(rewards, problem.groups, losses_before=before, losses_after=after)
