"""Estimate advantages from scores, for groups of any size and order.

Each estimator is a function of the scores laid out by prompt, (P, G) or (P, G, M), padded with NaN
where a group is smaller than the largest. NaN also marks a completion without a score; it stays out
of every mean and deviation, and its advantage is 0. With groups in order and of one size the
arithmetic of ``grpo`` is, bit for bit, that of TRL's ``GRPOTrainer``, but for scores that differ by
rounding alone: what the mean of equal numbers leaves of them, 3e-8, is not an advantage. Adam would
make a whole step of it wherever a batch has nothing else.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmark.common.errors import unknown
from benchmark.common.groups import EPSILON, ByPrompt

# (scores, present, tokens), each (P, G) or (P, G, M): `present` is 1 where there is a score and 0
# elsewhere; `tokens` is the completion's number of tokens there, or `present` without a mask.
Estimator = Callable[[Tensor, Tensor, Tensor], Tensor]


@torch.no_grad()
def estimate_advantages(
    scores: Tensor, groups: Tensor, estimator: str, mask: Tensor | None = None
) -> Tensor:
    """Return the advantage of each completion, zero where it cannot be estimated.

    A completion alone in its group has advantage 0 under every estimator with a group baseline, and
    so has one whose group's scores are equal up to rounding (:data:`ROUNDING`).

    Args:
        scores: One score per completion (B,), or one per completion and objective (B, M); each
            objective is then treated on its own. NaN where there is none.
        groups: The prompt of each completion (B,), in any order.
        estimator: A key of :data:`ESTIMATORS`.
        mask: Completion tokens (B, T), used by the estimators in :data:`TOKEN_LEVEL` alone: a
            completion then counts once per token in the batch's mean and deviation.

    Returns:
        The shape of ``scores``; (B, T) with zeros outside the mask for scores (B,) with a mask
        under a token-level estimator.

    Raises:
        CrosstalkError: If the estimator does not exist.
    """
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    by_prompt = ByPrompt(groups)
    table = by_prompt.table(scores)  # (P, G[, M])
    present = (~table.isnan()).to(scores.dtype)
    tokens = present
    if mask is not None:
        lengths = by_prompt.table(mask.sum(dim=1).to(scores.dtype), beyond=0.0)
        tokens = present * (lengths if scores.ndim == 1 else lengths[:, :, None])
    estimated = ESTIMATORS[estimator](table, present, tokens)
    estimated = estimated.masked_fill(_alike(table, (0, 1) if estimator in NO_GROUPS else (1,)), 0)
    advantages = estimated[by_prompt.prompt, by_prompt.place].nan_to_num(nan=0.0)
    if mask is not None and estimator in TOKEN_LEVEL and scores.ndim == 1:
        return advantages[:, None] * mask.to(scores.dtype)
    return advantages


def grpo(scores: Tensor, present: Tensor, tokens: Tensor) -> Tensor:
    """(s - group mean) / (group std + 1e-4), the std unbiased.

    `DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models
    <https://arxiv.org/abs/2402.03300>`_.
    """
    mean, std = _mean_and_std(scores, present, (1,))
    return (scores - mean) / (std + EPSILON)


def dr_grpo(scores: Tensor, present: Tensor, tokens: Tensor) -> Tensor:
    """s - group mean.

    `Understanding R1-Zero-Like Training: A Critical Perspective
    <https://arxiv.org/abs/2503.20783>`_.
    """
    mean, _ = _mean_and_std(scores, present, (1,))
    return scores - mean


def rloo(scores: Tensor, present: Tensor, tokens: Tensor) -> Tensor:
    """G/(G-1) (s - group mean), which is s minus the mean of the other completions.

    `Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in
    LLMs <https://arxiv.org/abs/2402.14740>`_.
    """
    size = present.sum(dim=1, keepdim=True)
    return dr_grpo(scores, present, tokens) * (size / (size - 1))


def reinforce_plus_plus(scores: Tensor, present: Tensor, tokens: Tensor) -> Tensor:
    """s whitened over all completion tokens of the batch; no group baseline.

    `REINFORCE++: A Simple and Efficient Approach for Aligning Large Language Models
    <https://arxiv.org/abs/2501.03262>`_. Whitening divides by the unbiased std plus 1e-4. Without a
    mask every completion counts once.
    """
    mean, std = _mean_and_std(scores, tokens, (0, 1))
    return (scores - mean) / (std + EPSILON)


def reinforce_plus_plus_baseline(scores: Tensor, present: Tensor, tokens: Tensor) -> Tensor:
    """s - group mean, then whitened over the completions of the batch (in verl: over its tokens).

    The variant with a group baseline from the paper of :func:`reinforce_plus_plus`.
    """
    centred = dr_grpo(scores, present, tokens)
    mean, std = _mean_and_std(centred, present, (0, 1))
    # The centred mean is zero but for rounding, which must not move a completion without baseline.
    alone = present.sum(dim=1, keepdim=True) < 2
    return ((centred - mean) / (std + EPSILON)).masked_fill(alone, 0.0)


ESTIMATORS: dict[str, Estimator] = {
    "grpo": grpo,
    "dr_grpo": dr_grpo,
    "rloo": rloo,
    "reinforce_plus_plus": reinforce_plus_plus,
    "reinforce_plus_plus_baseline": reinforce_plus_plus_baseline,
}
TOKEN_LEVEL = frozenset({"reinforce_plus_plus"})
NO_GROUPS = frozenset({"reinforce_plus_plus"})  # those whose baseline is the whole batch's
ROUNDING = 8  # units of least precision of the largest score, within which scores are equal


def _alike(scores: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Say where all scores over ``dims`` are equal up to rounding, or there are none."""
    highest = scores.nan_to_num(nan=-torch.inf).amax(dim=dims, keepdim=True)
    lowest = scores.nan_to_num(nan=torch.inf).amin(dim=dims, keepdim=True)
    largest = torch.maximum(highest.abs(), lowest.abs())
    return highest - lowest <= ROUNDING * torch.finfo(scores.dtype).eps * largest


def _mean_and_std(scores: Tensor, counts: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased std over ``dims``, each score counted ``counts`` times.

    The std is NaN where fewer than two are counted. The order of operations is TRL's, on purpose.
    """
    size = counts.sum(dim=dims, keepdim=True)
    mean = (counts * scores).nansum(dim=dims, keepdim=True) / size
    variance = (counts * (scores - mean) ** 2).nansum(dim=dims, keepdim=True) / size
    return mean, torch.sqrt(variance * (size / (size - 1)))
