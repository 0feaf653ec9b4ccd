"""Statistics of a batch that several methods share, by prompt and as a whole.

Axes: B completions, M objectives. A reward that is not finite marks an objective that does not
apply to the completion, and stays out of every mean and deviation. All is computed in double
precision: a group of equal rewards then has a deviation of zero and not of rounding error, which
normalising twice would blow up.
"""

import torch
from torch import Tensor

EPSILON = 1e-4


def group_totals(values: Tensor, groups: Tensor) -> Tensor:
    """Return for each completion the sum of ``values`` (B, ...) over its prompt: (B, ...)."""
    prompts, prompt = torch.unique(groups, return_inverse=True)
    sums = values.new_zeros(prompts.numel(), *values.shape[1:])
    return sums.index_add_(0, prompt, values)[prompt]


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
    applies = rewards.isfinite()
    values = torch.where(applies, rewards.double(), 0.0)
    counts = group_totals(applies.double(), groups)
    means = group_totals(values, groups) / counts.clamp(min=1)
    centred = torch.where(applies, values - means, 0.0)
    deviations = (group_totals(centred.square(), groups) / (counts - 1).clamp(min=1)).sqrt()
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
