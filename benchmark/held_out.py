"""Policies on held-out prompts: completions drawn with common random numbers, as tensors too."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmark.evaluation import Completions, draw
from benchmark.policies import render_prompt
from benchmark.schema import Evaluation, Sampling
from benchmark.tasks.base import Problem


def draw_coupled(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    sampling: Sampling,
    plan: Evaluation,
) -> Completions:
    """Draw ``plan.samples`` completions of every problem, with random numbers of each place's own.

    Policies that draw by the same plan use the same random numbers for the same token of the same
    completion, so their completions differ only from where their probabilities do: the difference
    of their mean rewards is an unbiased estimate that hardly varies when they are close. Each batch
    of prompts starts its numbers afresh, lest a longer batch shift those of the next.
    """
    size = max(1, plan.batch_size // plan.samples)
    ids: list[list[int]] = []
    texts: list[str] = []
    for number, start in enumerate(range(0, len(problems), size)):
        own = plan.model_copy(
            update={"seed": plan.seed + number, "batch_size": size * plan.samples}
        )
        part = draw(policy, tokenizer, problems[start : start + size], sampling, own)
        ids += part.ids
        texts += part.texts
    return Completions(problems, ids, texts)


def token_batches(
    tokenizer: PreTrainedTokenizerBase, completions: Completions, size: int, device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """Yield the completions as micro-batches of at most ``size``, as the trainer lays them out.

    Each has ``prompt_ids`` and ``prompt_mask``, padded on the left, and ``completion_ids`` and
    ``completion_mask``, padded on the right to the longest of all completions.
    """
    width = max(map(len, completions.ids))
    prompts = [
        render_prompt(tokenizer, problem.prompt)
        for problem in completions.problems
        for _ in range(completions.samples)
    ]
    for start in range(0, len(prompts), size):
        encoded = tokenizer(prompts[start : start + size], return_tensors="pt", padding=True)
        chosen = completions.ids[start : start + size]
        ids = torch.full((len(chosen), width), tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(chosen):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        batch = {
            "prompt_ids": encoded["input_ids"],
            "prompt_mask": encoded["attention_mask"],
            "completion_ids": ids,
            "completion_mask": mask,
        }
        yield {name: value.to(device) for name, value in batch.items()}
