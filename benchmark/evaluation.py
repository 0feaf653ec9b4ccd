"""Evaluating a policy: draw completions of held-out prompts and score them per objective."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from benchmark.backends import evaluation_backend
from benchmark.objectives.base import Objective
from benchmark.policies import load_policy, load_tokenizer, render_prompt
from benchmark.randomness import separate_stream
from benchmark.schema import Evaluation, Sampling
from benchmark.tasks.base import Problem
from benchmark.vllm_engine import complete


@dataclass(frozen=True)
class Completions:
    """P problems × n completions, the completions of one problem after one another.

    Attributes:
        problems: The P problems.
        ids: P·n lists of token ids, the end-of-sequence token included.
        texts: P·n decoded completions.
    """

    problems: Sequence[Problem]
    ids: list[list[int]]
    texts: list[str]

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

    The same folder, problems and settings give the same completions on the same machine.

    Raises:
        CrosstalkError: The folder is incomplete, or the plan's backend is not there.
    """
    tokenizer = load_tokenizer(folder)
    if evaluation_backend(plan.backend) == "vllm":
        prompts = tokenizer([render_prompt(tokenizer, p.prompt) for p in problems])["input_ids"]
        end = tokenizer.eos_token_id
        ids = complete(folder, prompts, sampling, plan.samples, plan.seed, end)
        return Completions(problems, ids, tokenizer.batch_decode(ids, skip_special_tokens=True))
    policy = load_policy(folder).eval()
    if torch.cuda.is_available():
        policy = policy.to("cuda")
    return draw(policy, tokenizer, problems, sampling, plan)


def draw(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    sampling: Sampling,
    plan: Evaluation,
) -> Completions:
    """Draw ``plan.samples`` completions of every problem from a policy.

    In one batch (``plan.batch_size``) two policies draw with common random numbers: each token of a
    place is the same under both unless their probabilities part there.
    """
    config = generation_config(tokenizer, sampling)
    prompts = [render_prompt(tokenizer, p.prompt) for p in problems for _ in range(plan.samples)]
    ids: list[list[int]] = []
    with separate_stream(plan.seed), torch.inference_mode():
        for start in range(0, len(prompts), plan.batch_size):
            ids += _generate_batch(
                policy, tokenizer, prompts[start : start + plan.batch_size], config
            )
    return Completions(problems, ids, tokenizer.batch_decode(ids, skip_special_tokens=True))


def generation_config(tokenizer: PreTrainedTokenizerBase, sampling: Sampling) -> GenerationConfig:
    """Return the sampling settings, spelled out so that no default of the model comes through."""
    return GenerationConfig(
        do_sample=True,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        max_new_tokens=sampling.max_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _generate_batch(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[str],
    config: GenerationConfig,
) -> Iterator[list[int]]:
    batch = tokenizer(prompts, return_tensors="pt", padding=True).to(policy.device)
    output = policy.generate(**batch, generation_config=config)
    for row in output[:, batch["input_ids"].shape[1] :].tolist():
        end = row.index(config.eos_token_id) + 1 if config.eos_token_id in row else len(row)
        yield row[:end]


def score(completions: Completions, objectives: Sequence[Objective]) -> np.ndarray:
    """Return the rewards (P, n, M) of completions.

    Raises:
        CrosstalkError: An objective raises, or returns anything but one finite number a completion.
    """
    repeated = [p for p in completions.problems for _ in range(completions.samples)]
    columns = {"question": [p.prompt for p in repeated], "answer": [p.answer for p in repeated]}
    rewards = [
        objective(completions=completions.texts, completion_ids=completions.ids, **columns)
        for objective in objectives
    ]
    return np.array(rewards).T.reshape(len(completions.problems), completions.samples, -1)


def to_frame(completions: Completions, rewards: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return a table with a row per completion and a column ``reward/<objective>`` for each."""
    repeated = [p for p in completions.problems for _ in range(completions.samples)]
    frame = pd.DataFrame(
        {
            "problem": [p.id for p in repeated],
            "sample": list(range(completions.samples)) * len(completions.problems),
            "prompt": [p.prompt for p in repeated],
            "answer": [p.answer for p in repeated],
            "completion": completions.texts,
            "tokens": completions.tokens.ravel(),
        }
    )
    flat = rewards.reshape(-1, len(names))
    return frame.assign(**{f"reward/{name}": flat[:, j] for j, name in enumerate(names)})


def comparison(
    final: np.ndarray, initial: np.ndarray, weights: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Compare a final with the initial policy on the same problems.

    Args:
        final: (P, n, M) rewards of the final policy.
        initial: (P, n', M) rewards of the initial policy.
        weights: (M,) preference weights of the scalarized gain.
        names: The M objectives.

    Returns:
        For each objective j: ``test/j``, ``test/j/initial``, ``test/j/delta`` and the standard
        error ``test/j/delta_se`` of that difference, paired over problems; the same delta for the
        weighted sum as ``test/score``.
    """
    ours, theirs = final.mean(axis=1), initial.mean(axis=1)  # (P, M)
    values = dict(zip(names, zip(ours.T, theirs.T, strict=True), strict=True))
    metrics: dict[str, float] = {}
    for name, (after, before) in values.items():
        metrics |= {f"test/{name}": after.mean(), f"test/{name}/initial": before.mean()}
        metrics |= _paired(f"test/{name}", after - before)
    metrics |= _paired("test/score", (ours - theirs) @ weights)
    return {key: float(value) for key, value in metrics.items()}


def _paired(prefix: str, differences: np.ndarray) -> dict[str, float]:
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.nan
    return {f"{prefix}/delta": differences.mean(), f"{prefix}/delta_se": error}
