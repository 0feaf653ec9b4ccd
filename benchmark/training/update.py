"""Measure one optimizer step: what the scalarizer is told of it, and what is logged."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmark.covariance import (
    completion_weights,
    group_correlation,
    group_covariance,
    unclipped_fraction,
)
from benchmark.models.policy.logps import Forward, carried_over, token_logps
from benchmark.scalarizers.base import Feedback, Signal
from benchmark.scalarizers.shortfalls import shortfalls
from benchmark.training.batch_law import (
    dominated_winner_rate,
    laid_out,
    negative_fraction,
    top_means,
)

# What TRL makes of a micro-batch, b of a process's completions, with what the trainer adds to it:
# rewards (b, M), groups (b,), scores (b,), advantages (b,) or (b, T), objective_advantages (b, M)
# under a gradient scalarizer, old_per_token_logps (b, T).
Batch = dict[str, Any]
Gather = Callable[[Tensor], Tensor]  # rows (b, ...) of this process -> (B, ...) of all
NEEDS_PASS = frozenset({Signal.COMPLETION_WEIGHTS, Signal.LOSSES})


class Clip(NamedTuple):
    """The ε of the surrogate; infinite where a side is not clipped."""

    low: float
    high: float


OFF = Clip(math.inf, math.inf)


@dataclass(frozen=True)
class Update:
    """The completions of one optimizer step: B of all processes, M objectives.

    Attributes:
        objectives: The names of the objectives.
        upper_bounds: (M,) of the mean rewards.
        rewards: (B, M).
        groups: (B,) the prompt of each completion.
        scores: (B,).
        advantages: (B,); means over tokens where an estimator whitens over these.
        batches: This process's micro-batches.
        gather: Joins the rows of all processes.
        gramian: (M, M) of a gradient scalarizer.
        validation: (M,) the latest validation values, if there are any.
    """

    objectives: tuple[str, ...]
    upper_bounds: Tensor
    rewards: Tensor
    groups: Tensor
    scores: Tensor
    advantages: Tensor
    batches: Sequence[Batch]
    gather: Gather
    gramian: Tensor | None = None
    validation: Tensor | None = None


def gathered(batches: Sequence[Batch], gather: Gather) -> dict[str, Tensor]:
    """Return the rewards, groups, scores and advantages of an :class:`Update`, of all processes."""
    rows = {key: [batch[key] for batch in batches] for key in ("rewards", "groups", "scores")}
    rows["advantages"] = [_per_completion(batch) for batch in batches]
    return {key: gather(torch.cat(values)) for key, values in rows.items()}


def preferred(rewards: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sums (B,) of rewards (B, M); NaN where no objective applies."""
    return (rewards.nan_to_num(0.0) @ weights).masked_fill(rewards.isnan().all(dim=1), torch.nan)


def weighed(batch: Batch, weights: Tensor) -> Batch:
    """Return a micro-batch with the scores and advantages that objectives' weights (M,) give."""
    weights = weights.to(batch["rewards"])
    scores = preferred(batch["rewards"], weights)
    return batch | {"scores": scores, "advantages": batch["objective_advantages"] @ weights}


@torch.no_grad()
def measure(
    update: Update, logps: Forward | None, clip: Clip, wanted: frozenset[Signal]
) -> tuple[Feedback, dict[str, float]]:
    """Return the feedback to a scalarizer, and what the update says of the covariance law.

    Args:
        update: The step.
        logps: The updated policy; None for no pass through it, which some signals need
            (:data:`NEEDS_PASS`).
        clip: Of the surrogate that was stepped on.
        wanted: The signals that the feedback has.
    """
    metrics = _law(update)
    feedback = Feedback(update.rewards, update.groups)
    if Signal.GRAMIAN in wanted:
        feedback = replace(feedback, gramian=update.gramian)
    if Signal.VALIDATION in wanted:
        feedback = replace(feedback, validation=update.validation)
    if logps is None:
        return feedback, metrics
    passed = _pass(update, logps, clip)
    metrics |= _law_of_weights(update, passed)
    if Signal.COMPLETION_WEIGHTS in wanted:
        feedback = replace(feedback, completion_weights=passed.weights)
    if Signal.LOSSES in wanted:
        carried = carried_over(passed.log_ratios, update.groups)
        before, after = (
            shortfalls(update.rewards, update.upper_bounds, weights) for weights in (None, carried)
        )
        feedback = replace(feedback, losses_before=before, losses_after=after)
    return feedback, metrics


class _Passed(NamedTuple):
    """What a pass through the updated policy tells of the step's completions."""

    weights: Tensor  # (B,)
    unclipped_weights: Tensor  # (B,)
    log_ratios: Tensor  # (B,) of whole completions, to the policy before
    unclipped_fraction: float


def _pass(update: Update, logps: Forward, clip: Clip) -> _Passed:
    weights, unclipped, ratios, tokens = [], [], [], []  # tokens: unclipped ones, and all
    for batch in update.batches:
        new = token_logps(logps, batch)
        old, mask = batch["old_per_token_logps"], batch["completion_mask"]
        surrogate = (new, old, batch["advantages"], mask)
        weights.append(completion_weights(*surrogate, clip_low=clip.low, clip_high=clip.high))
        unclipped.append(completion_weights(*surrogate, clip_low=OFF.low, clip_high=OFF.high))
        kept = unclipped_fraction(*surrogate, clip_low=clip.low, clip_high=clip.high)
        count = int(mask.sum())
        tokens.append([round(kept * count), count])
        ratios.append(((new - old) * mask).sum(dim=1))
    counts = update.gather(torch.tensor(tokens, device=update.rewards.device)).sum(dim=0)
    inside, total = counts.tolist()
    return _Passed(
        weights=update.gather(torch.cat(weights)),
        unclipped_weights=update.gather(torch.cat(unclipped)),
        log_ratios=update.gather(torch.cat(ratios)),
        unclipped_fraction=torch.tensor(inside / total if total else 1.0).item(),
    )


def _law(update: Update) -> dict[str, float]:
    """Return what needs no pass through the policy."""
    rewards, groups, scores = update.rewards, update.groups, update.scores
    law = {
        "covariance/score": group_covariance(rewards, scores, groups),
        "covariance/advantage": group_covariance(rewards, update.advantages, groups),
        "correlation/score": group_correlation(rewards, scores, groups),
    }
    table = laid_out(rewards, scores, groups)
    law |= {"negative_fraction": negative_fraction(*table), "top_mean": top_means(*table)}
    return _named(update, law) | {"dominated_winners": dominated_winner_rate(*table)}


def _law_of_weights(update: Update, passed: _Passed) -> dict[str, float]:
    rewards, groups = update.rewards, update.groups
    law = {
        "covariance/unclipped_weight": group_covariance(rewards, passed.unclipped_weights, groups),
        "covariance/weight": group_covariance(rewards, passed.weights, groups),
        "correlation/weight": group_correlation(rewards, passed.weights, groups),
    }
    return {"unclipped_fraction": passed.unclipped_fraction} | _named(update, law)


def _named(update: Update, law: Mapping[str, Tensor]) -> dict[str, float]:
    """Return values (M,) by quantity, each under its objective's name too."""
    return {
        f"{quantity}/{name}": value
        for quantity, values in law.items()
        for name, value in zip(update.objectives, values.tolist(), strict=True)
    }


def _per_completion(batch: Batch) -> Tensor:
    """Return the advantages (b,); where an estimator whitens over tokens, their mean."""
    advantages, mask = batch["advantages"], batch["completion_mask"]
    if advantages.ndim == 1:
        return advantages
    return (advantages * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
