"""Lay the completions of a batch out by prompt, and take statistics within prompts.

Axes: B completions, P prompts, G completions of the largest prompt, M objectives. Groups are the
prompts' numbers (B,), in any order. A reward that is not finite marks an objective that does not
apply to the completion, and stays out of every mean and deviation. Statistics are computed in
double precision: a group of equal rewards then has a deviation of zero and not of rounding error,
which normalising twice would blow up.
"""

from functools import cached_property

import torch
from torch import Tensor

EPSILON = 1e-4


class ByPrompt:
    """Which completions of a batch share a prompt.

    Attributes:
        prompt: (B,) each completion's prompt, numbered from 0.
        sizes: (P,) each prompt's number of completions.
    """

    def __init__(self, groups: Tensor) -> None:
        _, self.prompt, self.sizes = torch.unique(groups, return_inverse=True, return_counts=True)

    @cached_property
    def place(self) -> Tensor:
        """(B,) each completion's place among those of its prompt, in the batch's order."""
        order = self.prompt.argsort(stable=True)
        starts = self.sizes.cumsum(dim=0) - self.sizes
        place = torch.empty_like(self.prompt)
        place[order] = torch.arange(len(order), device=order.device) - starts[self.prompt[order]]
        return place

    def sums(self, values: Tensor) -> Tensor:
        """Return each prompt's sum (P, ...) of values (B, ...)."""
        sums = values.new_zeros(len(self.sizes), *values.shape[1:])
        return sums.index_add_(0, self.prompt, values)

    def totals(self, values: Tensor) -> Tensor:
        """Return for each completion the sum over its prompt (B, ...) of values (B, ...)."""
        return self.sums(values)[self.prompt]

    def table(self, values: Tensor, beyond: float = torch.nan) -> Tensor:
        """Return values (B, ...) as (P, G, ...), with ``beyond`` after a prompt's completions."""
        largest = int(self.sizes.max()) if len(self.sizes) else 0
        table = values.new_full((len(self.sizes), largest, *values.shape[1:]), beyond)
        table[self.prompt, self.place] = values
        return table


def group_totals(values: Tensor, groups: Tensor) -> Tensor:
    """Return for each completion the sum over its prompt (B, ...) of values (B, ...)."""
    return ByPrompt(groups).totals(values)


def group_zscores(rewards: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return each reward's z-score within its prompt, and the deviation it was divided by.

    :math:`Z_{kj} = (r_{kj} - \bar r_j) / (\sigma_j + 10^{-4})` with the unbiased deviation
    :math:`\sigma_j` of the prompt's completions.

    Args:
        rewards: r (B, M).
        groups: The prompt of each completion (B,), in any order.

    Returns:
        Z (B, M), 0 where the objective does not apply or has but one completion in the group; and
        :math:`\sigma` (B, M) of each completion's prompt.
    """
    by_prompt, applies = ByPrompt(groups), rewards.isfinite()
    values = torch.where(applies, rewards.double(), 0.0)
    counts = by_prompt.totals(applies.double())
    means = by_prompt.totals(values) / counts.clamp(min=1)
    centred = torch.where(applies, values - means, 0.0)
    deviations = (by_prompt.totals(centred.square()) / (counts - 1).clamp(min=1)).sqrt()
    return centred / (deviations + EPSILON), deviations


def whiten(values: Tensor, present: Tensor) -> Tensor:
    """Return (v - mean) / (std + 1e-4) over the batch (B,), the std unbiased.

    Args:
        values: v (B,).
        present: Which of them count (B,); the others become 0, as does a single one.
    """
    kept = values[present]
    if kept.numel() < 2:
        return torch.zeros_like(values)
    return torch.where(present, (values - kept.mean()) / (kept.std() + EPSILON), 0.0)
