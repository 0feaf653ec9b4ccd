"""Measure, prompt by prompt, how the score of a rollout batch relates to its rewards.

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_. A mean covariance above 0 can hide prompts that pull the other
way, and a score can prefer completions that lose on every objective. Cheap enough for every update:
a batch is laid out by prompt once.

Axes: B completions, P prompts, G completions of the largest prompt, M objectives. A reward that is
not finite marks an objective that does not apply to the completion.
"""

import math

import torch
from torch import Tensor

from benchmark.common.groups import ByPrompt

TOP_SHARE = 0.25  # q of the top-q conditional means


@torch.no_grad()
def laid_out(rewards: Tensor, scores: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Return rewards (P, G, M) and scores (P, G) by prompt, in double precision.

    NaN stands beyond a prompt's completions, and for what is not finite.
    """
    both = torch.cat([rewards, scores[:, None].to(rewards)], dim=1).double()
    table = ByPrompt(groups).table(both.where(both.isfinite(), torch.nan))
    return table[..., :-1], table[..., -1]


@torch.no_grad()
def negative_fraction(rewards: Tensor, scores: Tensor) -> Tensor:
    """Return the share of prompts in which an objective's covariance with the score is negative.

    Of the prompts with at least two completions that the objective applies to: (M,), NaN where
    there is none. A covariance that is rounding error counts as zero.

    Args:
        rewards: (P, G, M) as :func:`laid_out` returns them.
        scores: (P, G).
    """
    scores = scores[..., None].where(rewards.isfinite(), torch.nan)
    rewards = rewards.where(scores.isfinite(), torch.nan)
    first = rewards - rewards.nanmean(dim=1, keepdim=True)
    second = scores - scores.nanmean(dim=1, keepdim=True)
    products = (first * second).nansum(dim=1)  # (P, M)
    spread = (first.square().nansum(dim=1) * second.square().nansum(dim=1)).sqrt()
    usable = rewards.isfinite().sum(dim=1) >= 2
    negative = usable & (products < -1e-9 * spread)
    counts = usable.sum(dim=0).double()
    return negative.sum(dim=0) / counts.where(counts > 0, torch.nan)


@torch.no_grad()
def top_means(rewards: Tensor, scores: Tensor, share: float = TOP_SHARE) -> Tensor:
    r"""Return each objective's mean over every prompt's best completions by score: (M,).

    The best are the :math:`\lceil q n \rceil` of a prompt's n completions, q being ``share``;
    completions that tie for the last places share them equally, so that order plays no part. NaN
    where the objective applies to none of them. Rewards and scores are as above.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: expected a number above 0 and at most 1, got {share}")
    counts = scores.isfinite().sum(dim=1, keepdim=True)  # (P, 1)
    places = (share * counts - 1e-9).ceil().long().clamp(min=1)
    ordered = scores.nan_to_num(-math.inf).sort(dim=1, descending=True).values
    last = ordered.gather(1, places - 1)  # the score that takes the last place
    above, tied = scores > last, scores == last
    remaining = places - above.sum(dim=1, keepdim=True)
    weights = above + tied * (remaining / tied.sum(dim=1, keepdim=True).clamp(min=1))  # (P, G)
    applies = rewards.isfinite() * weights[..., None]
    per_prompt = (rewards.nan_to_num(0.0) * applies).sum(dim=1) / applies.sum(dim=1)
    return per_prompt.nanmean(dim=0)


@torch.no_grad()
def dominated_winner_rate(rewards: Tensor, scores: Tensor) -> float:
    """Return how often a prompt's best completion by score is Pareto-dominated by another.

    Dominated: another completion of the prompt is at least as good on every objective (that applies
    to both) and better on one. Completions that tie for the best score count by their share of
    them. Prompts in which all scores are equal have no winner; NaN if that is every prompt. Rewards
    and scores are as above.
    """
    present, ranked = scores.isfinite(), scores.nan_to_num(-math.inf)
    best = ranked.amax(dim=1, keepdim=True)
    winners = (ranked == best) & present
    contested = (scores < best).any(dim=1)  # NaN is not less
    if not contested.any():
        return math.nan
    rewards, winners, present = rewards[contested], winners[contested], present[contested]
    one, other = rewards[:, :, None], rewards[:, None, :]  # (P, G, 1, M), (P, 1, G, M)
    no_worse = ~(other < one)  # pairs of which either is NaN do not count against
    dominated = (no_worse.all(dim=-1) & (other > one).any(dim=-1) & present[:, None]).any(dim=2)
    shares = (dominated & winners).sum(dim=1) / winners.sum(dim=1)
    return float(shares.double().mean())
