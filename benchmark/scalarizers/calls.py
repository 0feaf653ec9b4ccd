"""Call a scalarizer, which may be anybody's code, and refuse what breaks the contract.

Shapes: B completions, M objectives. Every function raises
:class:`~benchmark.common.errors.Faulty`, in one line that names the scalarizer, if that raises,
exits, changes what it is given, or returns anything but what its base class promises.
"""

from collections.abc import Mapping
from reprlib import repr as shortened

import torch
from torch import Tensor

from benchmark.common.errors import Faulty, blaming
from benchmark.common.parameters import as_float
from benchmark.scalarizers.base import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
)


def score(scalarizer: ScoreScalarizer, rewards: Tensor) -> Tensor:
    """Return one score per completion (B,); NaN is allowed where a reward (B, M) is NaN."""
    what, given = f"{named(scalarizer)}.score", rewards.clone()
    with blaming(what):
        scores = scalarizer.score(given)
    _check_kept(what, "rewards", given, rewards)
    return _checked(what, scores, rewards[:, 0], rewards.isnan().any(dim=1))


def combine(
    scalarizer: AdvantageScalarizer, advantages: Tensor, rewards: Tensor, groups: Tensor
) -> Tensor:
    """Return one advantage per completion (B,) from those by objective (B, M)."""
    what = f"{named(scalarizer)}.combine"
    originals = {"advantages": advantages, "rewards": rewards, "groups": groups}
    given = {name: value.clone() for name, value in originals.items()}
    with blaming(what):
        combined = scalarizer.combine(**given)
    for name, value in originals.items():
        _check_kept(what, name, given[name], value)
    return _checked(what, combined, rewards[:, 0])


def weigh(scalarizer: GradientScalarizer, gramian: Tensor, losses: Tensor) -> Tensor:
    """Return the objectives' weights (M,) by their gradients' inner products (M, M)."""
    what, given = f"{named(scalarizer)}.weigh", (gramian.clone(), losses.clone())
    with blaming(what):
        weights = scalarizer.weigh(*given)
    for name, after, before in zip(("gramian", "losses"), given, (gramian, losses), strict=True):
        _check_kept(what, name, after, before)
    return _checked(what, weights, losses, floating=False)


def tell(scalarizer: Scalarizer, feedback: Feedback) -> None:
    """Let the scalarizer adapt to an update."""
    with blaming(f"{named(scalarizer)}.update"):
        scalarizer.update(feedback)


def metrics(scalarizer: Scalarizer) -> dict[str, float]:
    """Return what the scalarizer has to track, by name."""
    what = f"{named(scalarizer)}.metrics"
    with blaming(what):
        found = scalarizer.metrics()
    if not isinstance(found, Mapping):
        raise Faulty(f"{what}: expected a dictionary, got {shortened(found)}")
    numbers = {str(key): as_float(value) for key, value in found.items()}
    for key, number in numbers.items():
        if number is None or not abs(number) < float("inf"):
            raise Faulty(f"{what}: {key}: expected a finite number, got {shortened(found[key])}")
    return {key: number for key, number in numbers.items() if number is not None}


def named(scalarizer: Scalarizer) -> str:
    """Return how messages name a scalarizer: by class, and module if that is not the package's."""
    cls = type(scalarizer)
    inside = cls.__module__.startswith("benchmark.")
    return f"scalarizer {'' if inside else f'{cls.__module__}:'}{cls.__qualname__}"


def _check_kept(what: str, name: str, after: Tensor, before: Tensor) -> None:
    same = after.shape == before.shape and (after.eq(before) | (after.isnan() & before.isnan()))
    if not torch.as_tensor(same).all():
        raise Faulty(f"{what}: expected to find its input `{name}` unchanged, got it changed")


def _checked(
    what: str,
    found: object,
    like: Tensor,
    may_miss: Tensor | None = None,
    *,
    floating: bool = True,
) -> Tensor:
    """Return a tensor of the shape and device of ``like``; NaN is allowed where ``may_miss``."""
    count = len(like)
    expected = f"{what}: expected {count} finite numbers in a tensor"
    if not isinstance(found, Tensor):
        raise Faulty(f"{expected}, got {shortened(found)}")
    placed = found.shape == (count,) and found.device.type == like.device.type
    if not placed or (floating and not found.is_floating_point()):
        raise Faulty(f"{expected} on {like.device.type}, got {_described(found)}")
    fine = found.isfinite() if may_miss is None else found.isfinite() | (found.isnan() & may_miss)
    if not fine.all():
        raise Faulty(f"{expected}, got {shortened(found.tolist())}")
    return found.detach()


def _described(found: Tensor) -> str:
    return f"shape {tuple(found.shape)}, {found.dtype} on {found.device.type}"
