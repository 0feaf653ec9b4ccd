"""Rules that include another: at one end of a parameter they are the other, to rounding.

A general rule that loses to its special case once both are tuned says noise, or too little tuning.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from benchmark.advantages import estimate_advantages
from benchmark.scalarizers import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Linear,
    Scalarizer,
    ScoreScalarizer,
    make_scalarizer,
)
from benchmark.testing import make_batch

UNEQUAL, EQUAL = (1.0, 2.0, 3.0), (1.0, 1.0, 1.0)


class Inclusion(NamedTuple):
    """A rule with the parameters at which it is another one, up to a factor."""

    rule: str
    parameters: dict[str, Any]
    special: str
    own: dict[str, Any] = {}  # noqa: RUF012  # parameters of the other one
    weights: Sequence[float] = UNEQUAL
    factor: float = 1.0
    tolerance: float = 1e-6


INCLUSIONS = [
    Inclusion("stch", {"mu": 1e9}, "linear"),
    Inclusion("stch", {"mu": 1e-6}, "tchebycheff_mean"),
    Inclusion("tchebycheff_mean", {}, "maxmin", weights=EQUAL),
    Inclusion("smooth_tchebycheff", {"step_size": 0}, "linear"),
    Inclusion("maxmin", {"step_size": 0}, "linear"),
    Inclusion("ctwa", {"step_size": 0}, "linear"),
    Inclusion("pbi", {"theta": 0}, "linear"),
    Inclusion("cosmos", {"penalty": 0}, "linear"),
    Inclusion("dwa", {"temperature": 1e12, "window": 1}, "linear"),
    Inclusion("geometric_mean", {"epsilon": 1e6}, "linear"),
    Inclusion("famo", {"step_size": 0}, "geometric_mean"),
    Inclusion("sa_mrpo", {"gamma": 0}, "gdpo"),
    Inclusion("gd2po", {"rule": "snr", "threshold": 0}, "gdpo"),
    Inclusion("rvpo", {"k": 1e-6, "normalize": False}, "mo_grpo", factor=1 / 3, tolerance=1e-4),
    Inclusion("dynamic", {"step_size": 0}, "linear"),
    Inclusion("gradnorm", {"step_size": 0}, "linear", factor=3),
    Inclusion("cagrad_clip", {"c": 0}, "linear"),
    Inclusion(  # as far as TorchJD solves it: to 1e-8 in the value of a flat minimum
        "cagrad_clip",
        {"c": 0.5, "clip": False},
        "torchjd:CAGrad",
        {"c": 0.5},
        EQUAL,
        tolerance=1e-3,
    ),
    Inclusion("mgda", {"power": 1}, "mgda", {"normalize": True}),
    Inclusion("mgda", {"power": 0, "preferred": True}, "linear"),
    Inclusion("smoothed", {"rule": "mgda", "share": 0}, "mgda"),
]


def signal(scalarizer: Scalarizer, batch: Feedback, *, weighing: bool) -> Tensor:
    """Return advantages (B,) by an estimator that is linear in scores, or weights (M,)."""
    match scalarizer:
        case GradientScalarizer():
            assert batch.gramian is not None
            assert batch.losses_before is not None
            return scalarizer.weigh(batch.gramian, batch.losses_before)
        case Linear() if weighing:
            return scalarizer.weights
        case ScoreScalarizer():
            return estimate_advantages(scalarizer.score(batch.rewards), batch.groups, "dr_grpo")
        case AdvantageScalarizer():
            estimator = "grpo" if scalarizer.estimators else "dr_grpo"
            own = estimate_advantages(batch.rewards, batch.groups, estimator)
            return scalarizer.combine(own, batch.rewards, batch.groups)
    raise AssertionError(scalarizer)


@pytest.mark.parametrize("each", INCLUSIONS, ids=lambda each: f"{each.rule}-{each.special}")
def test_rule_includes_its_special_case(each: Inclusion) -> None:
    names = ["a", "b", "c"]
    general = make_scalarizer(each.rule, names, each.weights, **each.parameters)
    special = make_scalarizer(each.special, names, each.weights, **each.own)
    weighing = isinstance(general, GradientScalarizer)
    for seed in range(4):  # with an update after each, which must not take them apart
        batch = make_batch(3, [1, 4, 2, 7, 3], seed)
        expected = each.factor * signal(special, batch, weighing=weighing)
        found = signal(general, batch, weighing=weighing)
        torch.testing.assert_close(
            found.double(), expected.double(), rtol=each.tolerance, atol=each.tolerance
        )
        general.update(batch)
        special.update(batch)


def test_signals_of_different_rules_are_told_apart() -> None:
    batch = make_batch(3, [4, 4], 0)
    found = [
        signal(make_scalarizer(name, ["a", "b", "c"]), batch, weighing=False)
        for name in ("linear", "geometric_mean", "pbi", "gdpo")
    ]
    for place, one in enumerate(found):
        assert all(not torch.allclose(one, other, atol=1e-3) for other in found[place + 1 :])
