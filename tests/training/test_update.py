"""One update measured by hand: weights of the covariance law, losses, and what is asked for."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.scalarizers import Signal
from benchmark.training.update import Batch, Clip, Update, gathered, measure, weighed

CLIP = Clip(0.2, 0.2)
EVERYTHING = frozenset(Signal)
# One prompt, two completions of one token: the update makes the first likelier.
RATIOS = torch.tensor([[1.5], [0.5]])


def batch(**changes: Any) -> Batch:
    tokens = {"prompt_ids": torch.ones(2, 1, dtype=torch.long)}
    tokens |= {"completion_ids": torch.tensor([[1], [2]]), "prompt_mask": torch.ones(2, 1).long()}
    return {
        **tokens,
        "completion_mask": torch.ones(2, 1).long(),
        "old_per_token_logps": torch.zeros(2, 1),
        "rewards": torch.tensor([[1.0, 0.0], [0.0, 0.5]]),
        "groups": torch.tensor([3, 3]),
        "scores": torch.tensor([1.0, 0.0]),
        "advantages": torch.tensor([1.0, -1.0]),
        **changes,
    }


def update(*batches: Batch, **known: Any) -> Update:
    settings = {"objectives": ("a", "b"), "upper_bounds": torch.ones(2), **known}
    return Update(batches=batches, gather=same, **settings, **gathered(batches, same))


def same(rows: Tensor) -> Tensor:
    return rows


def after(ids: Tensor, attention: Tensor, kept: int) -> Tensor:
    """Return log-probabilities under the updated policy: those of token 1 are raised."""
    return RATIOS.log()[ids[:, -1] - 1]


def test_an_update_is_measured_by_hand() -> None:
    feedback, metrics = measure(update(batch()), after, CLIP, EVERYTHING)
    # Both ratios leave the clip on the side of their advantage: nothing of the gradient is left.
    assert feedback.completion_weights is not None
    assert feedback.completion_weights.tolist() == [0.0, 0.0]
    assert metrics["unclipped_fraction"] == 0.0
    # Unclipped, the weights are 1.5 and -0.5: c = mean (r - mean r)(w - mean w).
    assert metrics["covariance/unclipped_weight/a"] == pytest.approx(0.5)
    assert metrics["covariance/unclipped_weight/b"] == pytest.approx(-0.25)
    assert metrics["covariance/score/a"] == pytest.approx(0.25)
    assert metrics["covariance/advantage/b"] == pytest.approx(-0.25)
    assert metrics["negative_fraction/b"] == 1.0
    assert metrics["top_mean/a"] == 1.0
    # Means carried over by the ratios: (1.5 · 1) / 2 and (0.5 · 0.5) / 2.
    assert feedback.losses_before is not None
    assert feedback.losses_after is not None
    assert feedback.losses_before.tolist() == pytest.approx([0.5, 0.75])
    assert feedback.losses_after.tolist() == pytest.approx([0.25, 0.875])


def test_micro_batches_count_as_one() -> None:
    halves = [{key: value[row : row + 1] for key, value in batch().items()} for row in range(2)]
    wide = measure(update(batch()), after, Clip(math.inf, math.inf), EVERYTHING)
    split = measure(update(*halves), after, Clip(math.inf, math.inf), EVERYTHING)
    assert split[1] == wide[1]
    assert torch.equal(split[0].completion_weights, wide[0].completion_weights)


def test_unwanted_signals_are_none() -> None:
    known = {"gramian": torch.eye(2), "validation": torch.ones(2)}
    feedback, metrics = measure(update(batch(), **known), None, CLIP, frozenset())
    given = vars(feedback).keys() - {"rewards", "groups"}
    assert all(getattr(feedback, name) is None for name in given)
    assert not any("weight" in key or key == "unclipped_fraction" for key in metrics)
    wanted = frozenset({Signal.GRAMIAN, Signal.VALIDATION})
    feedback, _ = measure(update(batch(), **known), None, CLIP, wanted)
    assert feedback.gramian is known["gramian"]
    assert feedback.validation is known["validation"]


def test_advantages_over_tokens_count_by_their_mean() -> None:
    tokens = {"completion_mask": torch.tensor([[1, 1], [1, 0]])}
    whitened = batch(advantages=torch.tensor([[1.0, 3.0], [-1.0, 0.0]]), **tokens)
    assert update(whitened).advantages.tolist() == [2.0, -1.0]


def test_objective_weights_give_scores() -> None:
    given = batch(objective_advantages=torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
    found = weighed(given, torch.tensor([0.5, 2.0]))
    assert found["scores"].tolist() == [0.5, 1.0]
    assert found["advantages"].tolist() == [-1.5, 1.5]
    assert given["scores"].tolist() == [1.0, 0.0]  # the batch itself is left alone
