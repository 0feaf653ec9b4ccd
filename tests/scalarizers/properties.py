"""What holds for every scalarizer, as named assertions over any registry entry.

Each takes ``make``, which returns a fresh scalarizer of the method under test, and a batch.
"""

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.advantages import estimate_advantages
from benchmark.errors import CrosstalkError
from benchmark.scalarizers import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    make_scalarizer,
)

Make = Callable[[], Scalarizer]

# Parameters without a default, from the objectives' names.
REQUIRED: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "single": lambda objectives: {"objective": objectives[-1]},
}


def maker(name: str, objectives: int) -> Make:
    """Return a function that makes the method for so many objectives, with uneven weights."""
    names = [f"objective{index}" for index in range(objectives)]
    params = REQUIRED[name](names) if name in REQUIRED else {}
    weights = [1.0 + index for index in range(objectives)]
    return lambda: make_scalarizer(name, names, weights, **params)


def make_batch(objectives: int, sizes: list[int], seed: int = 0, missing: float = 0.0) -> Feedback:
    """Return a shuffled batch with groups of those sizes; a share of rewards does not apply."""
    generator = torch.Generator().manual_seed(seed)
    groups = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    groups = groups[torch.randperm(groups.numel(), generator=generator)]
    rewards = torch.rand(groups.numel(), objectives, generator=generator)
    rewards[torch.rand(rewards.shape, generator=generator) < missing] = math.nan
    jacobian = torch.randn(objectives, 2 * objectives, generator=generator)
    return Feedback(
        rewards=rewards,
        groups=groups,
        completion_weights=torch.randn(groups.numel(), generator=generator),
        gramian=jacobian @ jacobian.T,
        losses_before=torch.rand(objectives, generator=generator),
        losses_after=torch.rand(objectives, generator=generator),
        validation=torch.rand(objectives, generator=generator),
    )


def signal(scalarizer: Scalarizer, batch: Feedback) -> Tensor:
    """Return what the scalarizer makes of a batch, whatever its kind: (B,) or (M,)."""
    match scalarizer:
        case ScoreScalarizer():
            return scalarizer.score(batch.rewards)
        case AdvantageScalarizer():
            advantages = estimate_advantages(batch.rewards, batch.groups, "grpo")
            return scalarizer.combine(advantages, batch.rewards, batch.groups)
        case GradientScalarizer():
            assert batch.gramian is not None
            assert batch.losses_before is not None
            return scalarizer.weigh(batch.gramian, batch.losses_before)
    raise AssertionError(f"{scalarizer} is of no kind")


def run(scalarizer: Scalarizer, batches: list[Feedback]) -> list[Tensor]:
    """Scalarize and update batch after batch, as a training does."""
    signals = []
    for batch in batches:
        signals.append(signal(scalarizer, batch))
        scalarizer.update(batch)
    return signals


def assert_finite(make: Make, batch: Feedback) -> None:
    """One number per completion (or objective), finite wherever a reward is, through updates."""
    scalarizer = make()
    for result in run(scalarizer, [batch] * 3):
        if isinstance(scalarizer, GradientScalarizer):
            assert result.shape == (len(scalarizer.objectives),)
            assert result.isfinite().all()
        else:
            assert result.shape == batch.groups.shape
            assert result[~batch.rewards.isnan().any(dim=1)].isfinite().all()
        assert all(math.isfinite(value) for value in scalarizer.metrics().values())


def assert_permutation_invariant(make: Make, batch: Feedback) -> None:
    """The order of the completions in a batch does not matter, now and in what follows."""
    assert batch.completion_weights is not None
    order = torch.randperm(batch.groups.numel(), generator=torch.Generator().manual_seed(9))
    shuffled = Feedback(
        batch.rewards[order],
        batch.groups[order],
        batch.completion_weights[order],
        batch.gramian,
        batch.losses_before,
        batch.losses_after,
        batch.validation,
    )
    plain, permuted = make(), make()
    for one, other in zip(run(plain, [batch] * 2), run(permuted, [shuffled] * 2), strict=True):
        expected = one if isinstance(plain, GradientScalarizer) else one[order]
        torch.testing.assert_close(other, expected, equal_nan=True)
    torch.testing.assert_close(permuted.state_dict(), plain.state_dict(), equal_nan=True)


def assert_deterministic(make: Make, batch: Feedback) -> None:
    """The same batches give the same signals and metrics to the bit; the inputs are kept."""
    before = batch.rewards.clone()
    first, second = make(), make()
    for one, other in zip(run(first, [batch] * 3), run(second, [batch] * 3), strict=True):
        assert torch.equal(one.nan_to_num(nan=-9.0), other.nan_to_num(nan=-9.0))
    assert first.metrics() == second.metrics()
    torch.testing.assert_close(batch.rewards, before, rtol=0, atol=0, equal_nan=True)


def assert_state_round_trips(make: Make, batches: list[Feedback]) -> None:
    """A scalarizer restored from a checkpoint file goes on exactly as the original."""
    original, restored = make(), make()
    run(original, batches)
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    restored.load_state_dict(torch.load(file, weights_only=True))
    assert restored.metrics() == original.metrics()
    for one, other in zip(run(original, batches), run(restored, batches), strict=True):
        assert torch.equal(one, other)
    assert restored.metrics() == original.metrics()


def assert_state_dict_is_a_copy(make: Make, batches: list[Feedback]) -> None:
    """Neither the scalarizer a state comes from nor the one it is loaded into shares its memory."""
    scalarizer, other = make(), make()
    run(scalarizer, batches)
    state = scalarizer.state_dict()
    other.load_state_dict(state)
    for value in state.values():
        value.fill_(-17.0)
    expected = scalarizer.state_dict()
    torch.testing.assert_close(other.state_dict(), expected, rtol=0, atol=0, equal_nan=True)
    assert not any((value == -17.0).any() for value in expected.values())


def assert_refuses_foreign_states(make: Make) -> None:
    """A state of other names, shapes or types is refused and leaves the scalarizer as it was."""
    scalarizer = make()
    before = scalarizer.state_dict()
    wrong: list[Any] = [{**before, "stranger": torch.zeros(1)}, None, [1]]
    for name in before:
        wrong.append({key: value for key, value in before.items() if key != name})
        wrong.append({**before, name: torch.zeros(17)})
        wrong.append({**before, name: "text"})
    for state in wrong:
        with pytest.raises(CrosstalkError, match=f"state of {type(scalarizer).__name__}"):
            scalarizer.load_state_dict(state)
    torch.testing.assert_close(scalarizer.state_dict(), before, equal_nan=True)


def assert_metrics_name_objectives(make: Make, batch: Feedback) -> None:
    """Every metric is keyed by quantity and objective, and there is a weight for each."""
    scalarizer = make()
    run(scalarizer, [batch])
    metrics = scalarizer.metrics()
    assert {key.split("/", 1)[1] for key in metrics} <= set(scalarizer.objectives)
    assert {f"weight/{name}" for name in scalarizer.objectives} <= metrics.keys()


def assert_declares_its_source(make: Make) -> None:
    """A method says where it comes from."""
    assert make().source
