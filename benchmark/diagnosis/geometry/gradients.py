r"""Gradients of the objectives' values at a policy, from sampled completions.

:math:`\nabla J_j = \mathbb{E}_x \mathbb{E}_y (r_j - b) \nabla \log \pi(y | x)`, b the mean reward
of the prompt's other completions (leave-one-out), which leaves the estimate unbiased. The prompts
come in K batches, each with a gradient of its own, so that products of different batches are
products of independent estimates (:mod:`benchmark.diagnosis.geometry.conflicts` puts them to use).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import Module

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.differentiation import differentiable
from benchmark.models.policy.gradients import ALL, Gradients, select_parameters
from benchmark.models.policy.logps import token_logps

Floats = NDArray[np.float64]
ROWS = 64  # completions in one graph


def leave_one_out(rewards: Tensor) -> Tensor:
    """Return rewards (P, n, M) less the mean of the prompt's other completions, P·n·M alike.

    Raises:
        CrosstalkError: There is one completion a prompt.
    """
    samples = rewards.size(1)
    if samples < 2:
        raise CrosstalkError(
            "samples: found 1 completion a prompt, allowed are 2 or more: a leave-one-out baseline "
            "is the mean of the others"
        )
    return (rewards - rewards.mean(dim=1, keepdim=True)) * (samples / (samples - 1))


def cross_gramian(
    model: Module,
    batch: Mapping[str, Tensor],
    rewards: ArrayLike,
    batches: int,
    *,
    temperature: float = 1.0,
    parameters: str = ALL,
) -> Floats:
    """Return the inner products (K, M, K, M) of the gradients of M objectives on K batches.

    Cost: one forward pass over the completions, and one backward pass an objective. Memory: K·M
    gradients in the parameters' precision, and the graph of :data:`ROWS` completions.

    Args:
        model: The policy the completions were drawn from.
        batch: ``prompt_ids``, ``prompt_mask`` (P·n, L), ``completion_ids``, ``completion_mask``
            (P·n, T), the completions of one prompt after one another.
        rewards: (P, n, M).
        batches: K; batch k has every K-th prompt.
        temperature: What the completions' logits were divided by.
        parameters: What gradients are taken by: see ``gradients.select_parameters``.

    Raises:
        CrosstalkError: There are fewer prompts than batches or 1 completion a prompt.
    """
    values = torch.as_tensor(np.asarray(rewards, dtype=float))
    prompts, samples, objectives = values.shape
    if prompts < batches:
        raise CrosstalkError(f"batches: found {batches}, allowed are 2 to {prompts}, the prompts")
    advantages = leave_one_out(values)
    chosen = select_parameters(model, parameters)
    gradients = Gradients(model, chosen, batches * objectives)
    with torch.enable_grad(), differentiable(model):
        for k in range(batches):
            mine = torch.arange(k, prompts, batches)
            scale = 1 / (len(mine) * samples)
            rows = (mine[:, None] * samples + torch.arange(samples)).reshape(-1)
            scores = advantages[mine].reshape(-1, objectives) * scale
            for part, score in zip(rows.split(ROWS), scores.split(ROWS), strict=True):
                logps = _completion_logps(model, _rows(batch, part), temperature)
                for j in range(objectives):
                    loss = (score[:, j].to(logps) * logps).sum()
                    gradients.add(k * objectives + j, loss)
    shape = (batches, objectives, batches, objectives)
    return gradients.gramian().numpy().reshape(shape)


def _rows(batch: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    keys = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
    return {key: batch[key][rows.to(batch[key].device)] for key in keys}


def _completion_logps(model: Module, batch: Mapping[str, Tensor], temperature: float) -> Tensor:
    """Return the log-probabilities (b,) of whole completions."""

    def forward(ids: Tensor, mask: Tensor, kept: int) -> Tensor:
        output = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept + 1)
        logits = output.logits[:, :-1].float() / temperature
        chosen = logits.gather(-1, ids[:, -kept:, None]).squeeze(-1)
        return chosen - logits.logsumexp(dim=-1)

    mask = batch["completion_mask"].bool()
    return token_logps(forward, batch).masked_fill(~mask, 0.0).sum(dim=1)


def padded(
    prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], filler: int
) -> dict[str, Tensor]:
    """Return token ids as a batch: prompts padded on the left, completions on the right."""
    found: dict[str, Tensor] = {}
    for key, rows, left in (("prompt", prompts, True), ("completion", completions, False)):
        width = max(1, max(map(len, rows)))
        filled = list(_filled(rows, width, filler, left))
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
