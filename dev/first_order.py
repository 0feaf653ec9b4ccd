"""Measure how often each method lets every objective rise, at first order, on random problems.

    python dev/first_order.py               # 100 problems of each kind

Problems are those of ``crosstalk law`` with a uniform policy, so that the enumerated completions
(4 prompts, 8 completions each, 3 objectives) are a batch, and every method is the class that
trains. Binary rewards are 1 above 0.3 deviations. Steps act on the logits (tilt), or on the weights
of 14 random features (there are 28 free logits): completions share parameters. Adam's step is its
first. Methods that learn from what updates did are shown after nine updates at the same policy:
steps are so small that it stays. Gradient methods get the Gramian of the plain gradient.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmark.advantages import estimate_advantages
from benchmark.diagnosis.exact.problems import Floats, centred, random_problems
from benchmark.diagnosis.exact.steps import SMALLEST_CURVATURE, adam
from benchmark.scalarizers import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    Signal,
    make_scalarizer,
)

FEATURES = 14
UPDATES = 9
BINARY = 0.3  # what a reward has to exceed to count 1
STEP_SIZE = 1e-3


class Method(NamedTuple):
    """A scalarizer, and the updates it has learnt from when its step is looked at."""

    name: str
    parameters: dict[str, bool]
    updates: int = 0


METHODS = {
    "linear": Method("linear", {}),
    "gd2po": Method("gd2po", {}),
    "max_min_covariance": Method("max_min_covariance", {}),
    "mgda, normalized": Method("mgda", {"normalize": True}),
    "upgrad": Method("torchjd:UPGrad", {}),
    "famo": Method("famo", {}, UPDATES),
    "foresight, no update": Method("foresight", {}),
    "foresight": Method("foresight", {}, UPDATES),
}


class Problem(NamedTuple):
    """One batch of B completions: M rewards, and D features that parameters share among them."""

    rewards: Floats  # (B, M)
    groups: Tensor  # (B,)
    features: Floats  # (B, D), centred within prompts
    inverse: Floats  # (D, D), of the Fisher matrix

    def gradient(self, advantages: Floats) -> Floats:
        """Return the policy gradient (D,) of advantages (B,)."""
        return self.features.T @ advantages / len(advantages)

    def changes(self, direction: Floats) -> Floats:
        """Return each objective's derivative (M,) along a direction of the parameters (D,)."""
        moved = self.features @ direction
        return np.asarray((self.rewards - self.rewards.mean(axis=0)).T @ moved / len(moved))


def natural(problem: Problem, gradient: Floats) -> Floats:
    """Return the natural gradient (D,): of the logits the tilt, of features its projection."""
    return problem.inverse @ gradient


Step = Callable[[Problem, Floats], Floats]
STEPS: dict[str, tuple[bool, Step]] = {  # whether parameters are shared, and the step
    "tilt": (False, natural),
    "natural gradient, shared": (True, natural),
    "plain gradient, shared": (True, lambda _, gradient: gradient),
    "Adam, shared": (True, lambda _, gradient: adam(gradient)),
}


def problems(count: int, *, binary: bool, shared: bool, seed: int = 0) -> Iterator[Problem]:
    """Yield random problems."""
    generator = np.random.default_rng(seed)
    drawn = random_problems(count, generator, sharpness=0.0)
    rewards = (drawn.rewards > BINARY).astype(float) if binary else drawn.rewards
    _, prompts, completions, objectives = rewards.shape
    groups = torch.arange(prompts).repeat_interleave(completions)
    size = prompts * completions
    for policy, own in zip(drawn.policy, rewards, strict=True):
        features = np.eye(size)
        if shared:
            features = generator.normal(size=(size, FEATURES))
        features = centred(policy, features.reshape(prompts, completions, -1)).reshape(size, -1)
        fisher = features.T @ features / size
        inverse = np.linalg.pinv(fisher, rcond=SMALLEST_CURVATURE, hermitian=True)
        yield Problem(own.reshape(size, objectives), groups, features, inverse)


def found(method: Method, problem: Problem, step: Step) -> Floats:
    """Return the changes (M,) that a method's step makes."""
    scalarizer = make_scalarizer(method.name, list("abc"), **method.parameters)
    rewards = torch.from_numpy(problem.rewards)
    changes = np.zeros(rewards.shape[1])
    learns = Signal.LOSSES in scalarizer.requires
    if isinstance(scalarizer, ScoreScalarizer):
        scalarizer.update(Feedback(rewards, problem.groups))
    for _ in range(method.updates + 1):
        advantages = _advantages(scalarizer, problem, rewards).double().numpy()
        changes = problem.changes(step(problem, problem.gradient(advantages)))
        if learns:
            before = torch.full((len(changes),), 0.5, dtype=torch.float64)
            after = before - STEP_SIZE * torch.from_numpy(changes)
            told = Feedback(rewards, problem.groups, losses_before=before, losses_after=after)
            scalarizer.update(told)
    return changes


def _advantages(scalarizer: Scalarizer, problem: Problem, rewards: Tensor) -> Tensor:
    """Return the advantages (B,) that a method trains on."""
    groups = problem.groups
    if isinstance(scalarizer, ScoreScalarizer):
        return estimate_advantages(scalarizer.score(rewards)[:, None], groups, "grpo")[:, 0]
    own = estimate_advantages(rewards, groups, "grpo")
    if isinstance(scalarizer, AdvantageScalarizer):
        return scalarizer.combine(own, rewards, groups)
    assert isinstance(scalarizer, GradientScalarizer)
    rows = torch.from_numpy(np.stack([problem.gradient(each) for each in own.numpy().T]))
    return own @ scalarizer.weigh(rows @ rows.T, 1 - rewards.mean(dim=0))


def shares(count: int) -> Iterator[dict[str, object]]:
    """Yield the share of problems in which every objective rises, by family and step."""
    for binary, (name, (shared, step)) in itertools.product((False, True), STEPS.items()):
        drawn = list(problems(count, binary=binary, shared=shared))
        row: dict[str, object] = {"rewards": "binary" if binary else "normal", "step": name}
        for title, method in METHODS.items():
            risen = [bool((found(method, each, step) > 0).all()) for each in drawn]
            row[title] = f"{np.mean(risen):.0%}"
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--problems", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| rewards | step |", " | ".join(METHODS), "|", flush=True)
    for row in shares(options.problems):
        print("|", " | ".join(map(str, row.values())), "|", flush=True)


if __name__ == "__main__":
    main()
