"""Make batches to test scalarizers on: ordinary and degenerate ones.

Shapes: B completions, M objectives.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from benchmark.common.groups import group_zscores
from benchmark.scalarizers import Feedback, Signal
from benchmark.scalarizers.shortfalls import shortfalls

UNEVEN = [1, 4, 2, 7, 1, 3]

History = Sequence[Feedback]  # the batches of a short training


def make_batch(
    objectives: int, sizes: Sequence[int], seed: int = 0, missing: float = 0.0
) -> Feedback:
    """Return a shuffled batch with groups of those sizes; a share of rewards does not apply.

    Like the trainer's, prompts have numbers of any size, and all signals are there.
    """
    generator = torch.Generator().manual_seed(seed)
    prompts = 1000 * seed + 100 + torch.arange(len(sizes))
    groups = prompts.repeat_interleave(torch.tensor(sizes))
    groups = groups[torch.randperm(groups.numel(), generator=generator)]
    rewards = torch.rand(groups.numel(), objectives, generator=generator)
    rewards[torch.rand(rewards.shape, generator=generator) < missing] = math.nan
    return complete(rewards, groups, seed)


def complete(rewards: Tensor, groups: Tensor, seed: int = 0) -> Feedback:
    """Return the batch of these rewards (B, M) and groups (B,), with signals that go with them."""
    generator = torch.Generator().manual_seed(seed)
    size, objectives = rewards.shape
    _, deviations = group_zscores(rewards, groups)
    varies = (deviations > 1e-9).any(dim=0)  # others have no gradient
    jacobian = torch.randn(objectives, 2 * objectives, generator=generator, dtype=torch.float64)
    jacobian *= varies[:, None]
    bounds = torch.ones(objectives)
    ratios = torch.rand(size, generator=generator) + 0.5
    return Feedback(
        rewards=rewards,
        groups=groups,
        completion_weights=torch.randn(size, generator=generator),
        gramian=jacobian @ jacobian.T,
        losses_before=shortfalls(rewards, bounds),
        losses_after=shortfalls(rewards, bounds, ratios),
        validation=torch.rand(objectives, generator=generator),
    )


def make_history(objectives: int, sizes: Sequence[int] = UNEVEN, missing: float = 0.0) -> History:
    """Return three batches, the first without missing rewards and before any validation."""
    first = make_batch(objectives, sizes)
    others = [make_batch(objectives, sizes, seed, missing) for seed in (1, 2)]
    return [replace(first, validation=None), *others]


def ordinary_history(objectives: int) -> dict[str, History]:
    """Return batches with nothing special about them, by their name."""
    return {"uneven groups, some rewards missing": make_history(objectives, missing=0.3)}


def every_history(objectives: int, given: frozenset[Signal]) -> dict[str, History]:
    """Return what may happen in training: batches by name, degenerate ones followed by others.

    Args:
        objectives: M.
        given: The signals that reach the scalarizer; no batches differ in another one alone.
    """
    found = {"groups of 4": make_history(objectives, [4, 4, 4])}
    found |= ordinary_history(objectives)
    for name, sizes in {"groups of 1": [1, 1, 1], "one completion": [1]}.items():
        found[name] = make_history(objectives, sizes)
        found[f"{name}, some rewards missing"] = make_history(objectives, sizes, missing=0.4)
    usual = make_batch(objectives, UNEVEN, seed=1)
    for name, degenerate in _degenerate(usual, given).items():
        found[name] = [degenerate, usual, degenerate]
    return found


def _degenerate(usual: Feedback, given: frozenset[Signal]) -> dict[str, Feedback]:
    """Return ``usual`` gone wrong in the rewards or in a signal that is ``given``, by name."""
    found = _degenerate_rewards(usual)
    if Signal.COMPLETION_WEIGHTS in given:
        zeros = torch.zeros_like(usual.rewards[:, 0])
        found["completion weights of 0"] = replace(usual, completion_weights=zeros)
        found["completion weights of NaN"] = replace(usual, completion_weights=zeros / 0)
    if Signal.VALIDATION in given:
        found["validation values of NaN"] = replace(usual, validation=usual.rewards[0] * math.nan)
    if Signal.GRAMIAN in given:
        gramians = _degenerate_gramians(usual.rewards.shape[1])
        found |= {name: replace(usual, gramian=gramian) for name, gramian in gramians.items()}
    if Signal.LOSSES in given:
        zero = torch.zeros_like(usual.rewards[0], dtype=torch.float64)
        for name, loss in {"0": 0.0, "-1e-12": -1e-12, "1e6": 1e6, "NaN": math.nan}.items():
            both = {"losses_before": zero + loss, "losses_after": zero + loss}
            found[f"losses of {name}"] = replace(usual, **both)
        gone = {"losses_before": zero + 1, "losses_after": zero}
        found["losses that an update removes"] = replace(usual, **gone)
    return found


def _degenerate_rewards(usual: Feedback) -> dict[str, Feedback]:
    rewards, groups = usual.rewards, usual.groups
    found = {}
    constants = {"0": 0.0, "1": 1.0, "-3": -3.0, "NaN": math.nan}
    for name, value in constants.items():
        found[f"all rewards {name}"] = torch.full_like(rewards, value)
        one = rewards.clone()
        one[:, 0] = value
        found[f"all rewards of one objective {name}"] = one
    bare = rewards.clone()
    bare[0] = math.nan
    found["a completion that no objective applies to"] = bare
    found["equal rewards within each group"] = rewards[groups.unique(return_inverse=True)[1]]
    scales = torch.logspace(-6, 6, rewards.shape[1])
    found["rewards of very different scales"] = (rewards - 1) * scales
    return {name: complete(changed, groups, seed=1) for name, changed in found.items()}


def _degenerate_gramians(objectives: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    jacobian = torch.randn(objectives, 2 * objectives, generator=generator, dtype=torch.float64)
    usual, one = jacobian @ jacobian.T, jacobian[:, 0]
    norms = torch.logspace(-4, 4, objectives, dtype=torch.float64)
    return {
        "a Gramian of 0": torch.zeros_like(usual),
        "a Gramian of rank 1": torch.outer(one, one),
        "a Gramian of equal gradients": torch.ones_like(usual),
        "a Gramian of opposed gradients": torch.outer(one.sign(), one.sign()),
        "a badly scaled Gramian": norms[:, None] * usual * norms,
        "a tiny Gramian": 1e-20 * usual,
        "a huge Gramian": 1e12 * usual,
    }
