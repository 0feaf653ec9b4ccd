"""What a rollout batch says of the covariance law at the step it trains, beyond the covariances.

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_. A mean covariance above 0 can hide prompts that pull the other
way, and a score can crown completions that lose on every objective; both are told here. Cheap
enough for every update: a batch is laid out prompt by prompt once.

Axes: B completions, P prompts, G completions of the largest prompt, M objectives. A reward that is
not finite marks an objective that does not apply to the completion.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError

TOP_SHARE = 0.25  # q of the top-q conditional means


@dataclass(frozen=True)
class ByPrompt:
    """A batch laid out prompt by prompt; places beyond a prompt's completions are NaN.

    Attributes:
        rewards: (P, G, M), in double precision, NaN also where an objective does not apply.
        scores: (P, G), in double precision.
    """

    rewards: Tensor
    scores: Tensor

    @classmethod
    def of(cls, rewards: Tensor, scores: Tensor, groups: Tensor) -> "ByPrompt":
        """Lay out rewards (B, M) and scores (B,) by groups (B,), in any order."""
        prompts, prompt, sizes = torch.unique(groups, return_inverse=True, return_counts=True)
        order = prompt.argsort(stable=True)
        place = torch.arange(len(order), device=order.device)
        place = place - (sizes.cumsum(0) - sizes)[prompt[order]]
        shape = (len(prompts), int(sizes.max()) if len(sizes) else 0)
        laid_out = rewards.new_full((*shape, rewards.size(1) + 1), torch.nan, dtype=torch.float64)
        both = torch.cat([rewards, scores[:, None].to(rewards)], dim=1).double()[order]
        laid_out[prompt[order], place] = both.where(both.isfinite(), torch.nan)
        return cls(laid_out[..., :-1], laid_out[..., -1])


@torch.no_grad()
def negative_fraction(batch: ByPrompt) -> Tensor:
    """Return the share of prompts in which an objective's covariance with the score is negative.

    Of the prompts with at least two completions that the objective applies to: (M,), NaN where
    there is none. A covariance that is rounding error counts as zero.
    """
    scores = batch.scores[..., None].where(batch.rewards.isfinite(), torch.nan)
    rewards = batch.rewards.where(scores.isfinite(), torch.nan)
    first = rewards - rewards.nanmean(dim=1, keepdim=True)
    second = scores - scores.nanmean(dim=1, keepdim=True)
    products = (first * second).nansum(dim=1)  # (P, M)
    spread = (first.square().nansum(dim=1) * second.square().nansum(dim=1)).sqrt()
    usable = rewards.isfinite().sum(dim=1) >= 2
    negative = usable & (products < -1e-9 * spread)
    counts = usable.sum(dim=0).double()
    return negative.sum(dim=0) / counts.where(counts > 0, torch.nan)


@torch.no_grad()
def top_means(batch: ByPrompt, share: float = TOP_SHARE) -> Tensor:
    r"""Return each objective's mean over every prompt's best completions by score: (M,).

    The best are the :math:`\lceil q n \rceil` of a prompt's n completions, q being ``share``;
    completions that tie for the last places share them equally, so that order plays no part. NaN
    where the objective applies to none of them.

    Raises:
        CrosstalkError: The share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise CrosstalkError(f"share: found {share}, allowed is above 0 and at most 1")
    counts = batch.scores.isfinite().sum(dim=1, keepdim=True)  # (P, 1)
    places = (share * counts - 1e-9).ceil().long().clamp(min=1)
    ordered = batch.scores.nan_to_num(-math.inf).sort(dim=1, descending=True).values
    last = ordered.gather(1, places - 1)  # the score that takes the last place
    above, tied = batch.scores > last, batch.scores == last
    remaining = places - above.sum(dim=1, keepdim=True)
    weights = above + tied * (remaining / tied.sum(dim=1, keepdim=True).clamp(min=1))  # (P, G)
    applies = batch.rewards.isfinite() * weights[..., None]
    per_prompt = (batch.rewards.nan_to_num(0.0) * applies).sum(dim=1) / applies.sum(dim=1)
    return per_prompt.nanmean(dim=0)


@torch.no_grad()
def dominated_winner_rate(batch: ByPrompt) -> float:
    """Return how often a prompt's best completion by score is Pareto-dominated by another.

    Dominated: another completion of the prompt is at least as good on every objective (that applies
    to both) and better on one. Completions that tie for the best score count by their share of
    them. Prompts in which all scores are equal have no winner; NaN if that is every prompt.
    """
    scores, rewards = batch.scores.nan_to_num(-math.inf), batch.rewards
    best = scores.amax(dim=1, keepdim=True)
    winners = (scores == best) & batch.scores.isfinite()
    contested = (batch.scores < best).any(dim=1)  # NaN, beyond a prompt's completions, is not less
    if not contested.any():
        return math.nan
    rewards, winners = rewards[contested], winners[contested]
    there = batch.scores[contested].isfinite()
    one, other = rewards[:, :, None], rewards[:, None, :]  # (P, G, 1, M), (P, 1, G, M)
    no_worse = ~(other < one)  # pairs of which either is NaN do not count against
    dominated = (no_worse.all(dim=-1) & (other > one).any(dim=-1) & there[:, None]).any(dim=2)
    shares = (dominated & winners).sum(dim=1) / winners.sum(dim=1)
    return float(shares.double().mean())
