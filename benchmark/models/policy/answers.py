"""Draw a policy's completions of held-out prompts, and batch them as tensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from benchmark.common.errors import Diverged
from benchmark.common.paths import relative
from benchmark.common.randomness import separate_stream
from benchmark.models.policy.divergence import refuse_bad_logits
from benchmark.models.policy.engines import evaluation_backend
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.logps import padded
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.models.policy.tokens import encode_prompts, saved_stop_tokens, stop_tokens
from benchmark.models.policy.vllm import complete
from benchmark.tasks.base import Problem


@dataclass(frozen=True)
class Completions:
    """n completions of each of P problems, those of one problem after one another."""

    problems: Sequence[Problem]  # P
    ids: list[list[int]]  # P·n, the token that ended each included
    texts: list[str]  # P·n

    @property
    def samples(self) -> int:
        """n, the completions per problem."""
        return len(self.ids) // len(self.problems)

    @property
    def tokens(self) -> np.ndarray:
        """(P, n) completion lengths in tokens."""
        return np.array([len(ids) for ids in self.ids]).reshape(len(self.problems), -1)


def generate(
    folder: Path, problems: Sequence[Problem], sampling: Sampling, plan: Evaluation
) -> Completions:
    """Draw ``plan.samples`` completions of every problem from the policy saved in ``folder``.

    The same folder, problems and settings give the same completions on the same machine. On a GPU
    the policy computes in bfloat16, as its training and vLLM do.
    """
    tokenizer = load_tokenizer(folder)
    if evaluation_backend(plan.backend) == "vllm":
        prompts = encode_prompts(tokenizer, [problem.prompt for problem in problems])
        stops = stop_tokens(tokenizer, saved_stop_tokens(folder))
        ids = complete(folder, prompts, sampling, plan.samples, plan.seed, stops)
        return Completions(problems, ids, tokenizer.batch_decode(ids, skip_special_tokens=True))
    on_gpu = torch.cuda.is_available()
    policy = load_policy(folder, "bfloat16" if on_gpu else "float32").eval()
    if on_gpu:
        policy = policy.to("cuda")
    try:
        return draw(policy, tokenizer, problems, sampling, plan)
    except Diverged as error:
        raise Diverged(f"diverged: {relative(folder)}: {error}") from error


def draw(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    sampling: Sampling,
    plan: Evaluation,
) -> Completions:
    """Draw ``plan.samples`` completions of every problem from a policy.

    Within a batch (``plan.batch_size``) two policies draw with common random numbers: a token
    differs only where their probabilities do.

    Raises:
        Diverged: The policy's logits are not finite.
    """
    stops = stop_tokens(tokenizer, policy.generation_config.eos_token_id)
    config = generation_config(tokenizer, sampling, stops)
    encoded = encode_prompts(tokenizer, [problem.prompt for problem in problems])
    prompts = [row for row in encoded for _ in range(plan.samples)]
    ids: list[list[int]] = []
    with separate_stream(plan.seed), torch.inference_mode(), refuse_bad_logits(policy):
        for start in range(0, len(prompts), plan.batch_size):
            ids += _generate_batch(policy, prompts[start : start + plan.batch_size], config)
    return Completions(problems, ids, tokenizer.batch_decode(ids, skip_special_tokens=True))


def generation_config(
    tokenizer: PreTrainedTokenizerBase, sampling: Sampling, stops: Sequence[int]
) -> GenerationConfig:
    """Return the sampling settings, spelled out so that no default of the model applies.

    ``stops`` are the tokens that end a completion.
    """
    return GenerationConfig(
        do_sample=True,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        max_new_tokens=sampling.max_tokens,
        eos_token_id=list(stops),
        pad_token_id=tokenizer.pad_token_id,
    )


def _generate_batch(
    policy: PreTrainedModel, prompts: Sequence[Sequence[int]], config: GenerationConfig
) -> Iterator[list[int]]:
    width = max(map(len, prompts))
    short = [width - len(row) for row in prompts]
    ids = [[config.pad_token_id] * n + list(row) for n, row in zip(short, prompts, strict=True)]
    mask = [[0] * n + [1] * (width - n) for n in short]
    output = policy.generate(
        input_ids=torch.tensor(ids, device=policy.device),
        attention_mask=torch.tensor(mask, device=policy.device),
        generation_config=config,
    )
    for row in output[:, width:].tolist():
        ends = (place + 1 for place, token in enumerate(row) if token in config.eos_token_id)
        yield row[: next(ends, len(row))]


def prompt_ids(tokenizer: PreTrainedTokenizerBase, completions: Completions) -> list[list[int]]:
    """Return the token ids that each of the P·n completions continues, as generation read them."""
    rows = encode_prompts(tokenizer, [problem.prompt for problem in completions.problems])
    return [row for row in rows for _ in range(completions.samples)]


def token_batches(
    tokenizer: PreTrainedTokenizerBase, completions: Completions, size: int, device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """Yield the completions as micro-batches of at most ``size``, as the trainer lays them out.

    Each is padded to its longest prompt, and to the longest of all completions.
    """
    prompts, width = prompt_ids(tokenizer, completions), max(map(len, completions.ids))
    filler = int(tokenizer.pad_token_id)
    for start in range(0, len(prompts), size):
        rows = slice(start, start + size)
        batch = padded(prompts[rows], completions.ids[rows], filler, width)
        yield {name: value.to(device) for name, value in batch.items()}


def draw_coupled(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    sampling: Sampling,
    plan: Evaluation,
) -> Completions:
    """Draw ``plan.samples`` completions of every problem, with its own random numbers per place.

    Policies that draw by the same plan use the same random numbers for the same token of the same
    completion, so their completions differ only from where their probabilities do: the difference
    of their mean rewards is an unbiased estimate that hardly varies when they are close. Each batch
    reseeds, so a longer batch does not shift the random numbers of the next.
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
