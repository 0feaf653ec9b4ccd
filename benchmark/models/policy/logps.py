"""Compute log-probabilities of completions under a policy, and pad completions for that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmark.common.groups import ByPrompt

PARTS = 3  # in which a micro-batch passes through the policy, shortest completions first

# (token ids (n, L), attention mask (n, L), kept) -> log-probabilities (n, kept) of the last tokens
Forward = Callable[[Tensor, Tensor, int], Tensor]
# prompt_ids, prompt_mask (b, P), padded on the left; completion_ids, completion_mask (b, T), padded
# on the right
Batch = Mapping[str, Tensor]


def token_logps(forward: Forward, batch: Batch) -> Tensor:
    """Return the log-probabilities (b, T) of a micro-batch's completion tokens; 0 at padding.

    Completions go through the policy in order of length, a part at a time and cut to the part's
    longest, so that most of a batch's padding is never computed.
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
    return logps.masked_fill(~batch["completion_mask"].bool(), 0.0)


def forward_of(model: Callable[..., Any], temperature: float) -> Forward:
    """Return the pass through a causal language model whose logits are divided by a temperature.

    The log-probabilities have the precision of the logits, but at least single.
    """

    def forward(ids: Tensor, mask: Tensor, kept: int) -> Tensor:
        output = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept + 1)
        logits = output.logits[:, :-1]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
        chosen = logits.gather(-1, ids[:, -kept:, None]).squeeze(-1)
        return chosen - logits.logsumexp(dim=-1)

    return forward


def padded(
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    filler: int,
    width: int = 1,
) -> dict[str, Tensor]:
    """Return token ids as a batch: prompts padded on the left, completions on the right.

    ``width`` is the least width T of the completions.
    """
    found: dict[str, Tensor] = {}
    for key, rows, least in (("prompt", prompts, 1), ("completion", completions, width)):
        longest = max(least, *map(len, rows))
        filled = list(_filled(rows, longest, filler, left=key == "prompt"))
        found[f"{key}_ids"] = torch.tensor([ids for ids, _ in filled])
        found[f"{key}_mask"] = torch.tensor([mask for _, mask in filled])
    return found


def _filled(
    rows: Sequence[Sequence[int]], width: int, filler: int, left: bool
) -> Iterator[tuple[list[int], list[int]]]:
    for row in rows:
        ids, ones, gap = list(row), [1] * len(row), width - len(row)
        spare, zeros = [filler] * gap, [0] * gap
        yield (spare + ids, zeros + ones) if left else (ids + spare, ones + zeros)


def carried_over(log_ratios: Tensor, groups: Tensor) -> Tensor:
    r"""Return weights (B,) that carry means over a prompt's completions over to another policy.

    Self-normalised importance weights: :math:`G e^{q_k} / \sum_i e^{q_i}` over the G completions of
    the prompt, so that every prompt keeps its share.

    Args:
        log_ratios: q (B,), the completion's log-probability under the other policy less that under
            the policy it was drawn from.
        groups: The prompt of each completion (B,), in any order.
    """
    by_prompt, wide = ByPrompt(groups), log_ratios.double()
    highest = wide.new_full(by_prompt.sizes.shape, -torch.inf)
    highest = highest.scatter_reduce(0, by_prompt.prompt, wide, "amax")
    shares = (wide - highest[by_prompt.prompt]).exp()
    return shares / by_prompt.totals(shares) * by_prompt.sizes[by_prompt.prompt]
