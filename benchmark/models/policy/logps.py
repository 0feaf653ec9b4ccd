"""What a batch is worth under the policy as it is now: log-probabilities, carried-over means."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

PARTS = 3  # in which a micro-batch passes through the policy, shortest completions first


def token_logps(
    forward: Callable[[Tensor, Tensor, int], Tensor], batch: Mapping[str, Tensor]
) -> Tensor:
    """Return the log-probabilities (b, T) of a micro-batch's completion tokens; 0 at padding.

    Completions go through the policy in order of length, a part at a time and cut to the part's
    longest, so that most of a batch's padding is never computed.

    Args:
        forward: Returns the log-probabilities (n, kept) of the last ``kept`` tokens, given token
            ids (n, L), their attention mask (n, L) and ``kept``.
        batch: ``prompt_ids`` and ``prompt_mask`` (b, P), padded on the left; ``completion_ids`` and
            ``completion_mask`` (b, T), padded on the right.
    """
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    lengths = batch["completion_mask"].sum(dim=1)
    prompt = batch["prompt_ids"].size(1)
    parts = []
    for rows in lengths.argsort(stable=True).tensor_split(PARTS):
        kept = int(lengths[rows].max()) if len(rows) else 0
        if kept:
            here = (rows, slice(prompt + kept))
            parts.append((rows, kept, forward(ids[here], attention[here], kept)))
    shape = batch["completion_ids"].shape
    logps = torch.zeros(shape, dtype=parts[0][2].dtype if parts else None, device=ids.device)
    for rows, kept, part in parts:
        logps[rows, :kept] = part
    return logps


def carried_over(log_ratios: Tensor, groups: Tensor) -> Tensor:
    r"""Return weights (B,) that carry means over a prompt's completions over to another policy.

    Self-normalised importance weights: :math:`G e^{q_k} / \sum_i e^{q_i}` over the G completions of
    the prompt, so that every prompt keeps its share.

    Args:
        log_ratios: q (B,), the completion's log-probability under the other policy less that under
            the policy it was drawn from.
        groups: The prompt of each completion (B,), in any order.
    """
    prompts, prompt, sizes = torch.unique(groups, return_inverse=True, return_counts=True)
    wide = log_ratios.double()
    highest = wide.new_full(prompts.shape, -torch.inf).scatter_reduce(0, prompt, wide, "amax")
    shares = (wide - highest[prompt]).exp()
    totals = shares.new_zeros(prompts.shape).index_add(0, prompt, shares)
    return shares / totals[prompt] * sizes[prompt]
