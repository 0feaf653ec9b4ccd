"""Completions are drawn the same every time, coupled between policies, and batched for training."""

import random
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.models.policy.answers import (
    Completions,
    draw_coupled,
    generate,
    generation_config,
    prompt_ids,
    token_batches,
)
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.models.policy.tokens import render_prompt
from benchmark.tasks import make_task

PROBLEMS = make_task("arithmetic").split("validation", 6)


def drawn(folder: Path, samples: int = 2, seed: int = 3, batch_size: int = 256) -> Completions:
    problems = make_task("arithmetic").split("test", 5)
    plan = Evaluation(samples=samples, seed=seed, batch_size=batch_size)
    return generate(folder, problems, Sampling(max_tokens=12), plan)


# ---- drawing -------------------------------------------------------------------------------------


def test_a_policy_gives_the_same_completions_every_time(tiny_model: Path) -> None:
    first = drawn(tiny_model)
    torch.rand(3)
    second = drawn(tiny_model)
    assert first.ids == second.ids
    assert first.texts == second.texts


def test_another_seed_gives_other_completions(tiny_model: Path) -> None:
    assert drawn(tiny_model).ids != drawn(tiny_model, seed=4).ids


def test_samples_differ_and_end_at_the_end_token(tiny_model: Path) -> None:
    completions = drawn(tiny_model, samples=4)
    end = load_tokenizer(tiny_model).eos_token_id
    assert completions.samples == 4
    assert completions.tokens.shape == (5, 4)
    assert len({tuple(ids) for ids in completions.ids}) > 5
    for ids in completions.ids:
        assert end not in ids[:-1]
        assert ids[-1] == end or len(ids) == 12
    assert any(ids[-1] == end for ids in completions.ids)


def test_drawing_leaves_the_random_streams_untouched(tiny_model: Path) -> None:
    torch.manual_seed(1)
    random.seed(1)
    expected = torch.rand(1).item(), random.random()
    torch.manual_seed(1)
    random.seed(1)
    drawn(tiny_model)
    assert (torch.rand(1).item(), random.random()) == expected


def test_batches_cover_all_prompts(tiny_model: Path) -> None:
    completions = drawn(tiny_model, samples=2, batch_size=3)
    assert len(completions.ids) == len(completions.texts) == 10


def test_sampling_is_spelled_out(tiny_model: Path) -> None:
    config = generation_config(
        load_tokenizer(tiny_model), Sampling(temperature=0.5, top_p=0.9, max_tokens=7), [1, 3]
    )
    assert (config.temperature, config.top_p, config.top_k) == (0.5, 0.9, 0)
    assert (config.do_sample, config.max_new_tokens) == (True, 7)
    assert config.eos_token_id == [1, 3]


# ---- common random numbers -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def policy(tiny_model: Path) -> torch.nn.Module:
    return load_policy(tiny_model)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> object:
    return load_tokenizer(tiny_model)


def nudged(policy: torch.nn.Module, size: float) -> torch.nn.Module:
    """Return a copy of a policy, moved a little."""
    other, generator = deepcopy(policy), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return other


def plan(samples: int, seed: int = 3, batch_size: int = 64) -> Evaluation:
    return Evaluation(samples=samples, seed=seed, batch_size=batch_size)


def test_one_policy_draws_the_same_completions_twice(
    policy: torch.nn.Module, tokenizer: object
) -> None:
    settings = (tokenizer, PROBLEMS, Sampling(max_tokens=8), plan(4))
    assert draw_coupled(policy, *settings).ids == draw_coupled(policy, *settings).ids


def test_close_policies_draw_mostly_the_same(policy: torch.nn.Module, tokenizer: object) -> None:
    settings = (tokenizer, PROBLEMS, Sampling(max_tokens=8), plan(8))
    one, other = (draw_coupled(p, *settings).ids for p in (policy, nudged(policy, 1e-3)))
    equal = np.mean([a == b for a, b in zip(one, other, strict=True)])
    assert 0.8 < equal < 1.0 or one == other


def test_each_batch_has_its_own_random_numbers(policy: torch.nn.Module, tokenizer: object) -> None:
    # Batches of one prompt each: the second prompt's completions are its own whatever the first's.
    settings = (Sampling(max_tokens=8), plan(4, batch_size=4))
    both = draw_coupled(policy, tokenizer, PROBLEMS[:2], *settings)
    swapped = draw_coupled(policy, tokenizer, [PROBLEMS[4], PROBLEMS[1]], *settings)
    assert both.ids[4:] == swapped.ids[4:]
    assert both.ids[:4] != swapped.ids[:4]


def first_token_probabilities(policy: torch.nn.Module, tokenizer: object) -> Tensor:
    """Return the exact probabilities (P, V) of one-token completions."""
    rows = []
    for problem in PROBLEMS:
        encoded = tokenizer([render_prompt(tokenizer, problem.prompt)], return_tensors="pt")
        with torch.no_grad():
            rows.append(policy(**encoded).logits[0, -1].double().softmax(-1))
    return torch.stack(rows)


def test_coupled_change_is_unbiased_and_precise(policy: torch.nn.Module, tokenizer: object) -> None:
    """Completions of one token can be enumerated: a reward is then a number per token."""
    after = nudged(policy, 0.02)
    exact_before, exact_after = (first_token_probabilities(p, tokenizer) for p in (policy, after))
    reward = torch.rand(exact_before.size(1), generator=torch.Generator().manual_seed(1)).double()
    exact = ((exact_after - exact_before) @ reward).mean().item()
    coupled, independent = [], []
    for seed in range(40):
        settings = (tokenizer, PROBLEMS, Sampling(max_tokens=1))
        drawn = {
            name: reward[
                [ids[0] for ids in draw_coupled(p, *settings, plan(32, s, 192)).ids]
            ].mean()
            for name, p, s in (
                ("before", policy, seed),
                ("after", after, seed),
                ("apart", after, seed + 1000),
            )
        }
        coupled.append((drawn["after"] - drawn["before"]).item())
        independent.append((drawn["apart"] - drawn["before"]).item())
    error = np.std(coupled, ddof=1) / np.sqrt(len(coupled))
    assert abs(exact) > 3 * error  # else the test would not see a bias
    assert np.mean(coupled) == pytest.approx(exact, abs=3.5 * error)
    assert np.std(coupled) < 0.7 * np.std(independent)


# ---- as tensors ----------------------------------------------------------------------------------


def test_batches_are_padded_as_the_trainer_does(tokenizer: object) -> None:
    ids = [[5, 6, 7], [5], [8, 9], [5, 6]]
    completions = Completions(PROBLEMS[:2], ids, [""] * 4)
    first, second = token_batches(tokenizer, completions, 3, torch.device("cpu"))
    assert first["completion_ids"].shape == (3, 3)
    assert second["completion_ids"].tolist()[0][:2] == [5, 6]
    assert first["completion_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert (first["prompt_mask"][:, -1] == 1).all()
    text = tokenizer.decode(first["prompt_ids"][0][first["prompt_mask"][0].bool()])
    assert text == render_prompt(tokenizer, PROBLEMS[0].prompt)
    assert tokenizer.decode(prompt_ids(tokenizer, completions)[1]) == text
