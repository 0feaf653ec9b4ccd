"""The two backends of evaluation agree: greedily token for token, and in what they score."""

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from projects import Project
from transformers import GenerationConfig

from benchmark.commands.baseline import evaluate_initial, read_baseline
from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.answers import Completions, generate
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.models.policy.tokens import encode_prompts, render_prompt
from benchmark.models.policy.vllm import complete
from benchmark.objectives import Accuracy, Clarity, Conciseness
from benchmark.objectives.scoring import score
from benchmark.tasks import make_task

PROBLEMS = make_task("arithmetic").split("test", 48)
TOKENS = 24


def drawn(folder: Path, backend: Any, **changes: Any) -> Completions:
    plan = Evaluation(**{"backend": backend, "samples": 32, **changes})
    return generate(folder, PROBLEMS, Sampling(max_tokens=TOKENS), plan)


@pytest.fixture(scope="module")
def by_vllm(tiny_model: Path) -> Completions:
    return drawn(tiny_model, "vllm")


def rewards_of(completions: Completions) -> np.ndarray:
    objectives = [Accuracy(), Conciseness().for_evaluation(8.0), Clarity()]
    return score(completions, objectives)  # (P, n, M)


def greedy_by_transformers(folder: Path) -> list[list[int]]:
    tokenizer, policy = load_tokenizer(folder), load_policy(folder).eval()
    end = tokenizer.eos_token_id
    config = GenerationConfig(
        do_sample=False, max_new_tokens=TOKENS, eos_token_id=end, pad_token_id=end
    )
    rows = []
    for problem in PROBLEMS:  # one by one: nothing is padded
        ids = tokenizer(render_prompt(tokenizer, problem.prompt), return_tensors="pt")
        with torch.inference_mode():
            output = policy.generate(**ids, generation_config=config)
        rows.append(output[0, ids["input_ids"].shape[1] :].tolist())
    return rows


def greedy_by_vllm(folder: Path) -> list[list[int]]:
    tokenizer = load_tokenizer(folder)
    prompts = encode_prompts(tokenizer, [problem.prompt for problem in PROBLEMS])
    sampling = Sampling.model_construct(temperature=0.0, top_p=1.0, max_tokens=TOKENS)
    return complete(folder, prompts, sampling, 1, seed=0, stops=[tokenizer.eos_token_id])


def test_greedy_completions_agree(tiny_model: Path) -> None:
    found = greedy_by_vllm(tiny_model)
    assert found == greedy_by_transformers(tiny_model)
    assert len({tuple(ids) for ids in found}) > 5  # the model does look at its prompt


def test_adapter_checkpoints_draw_like_the_policy(project: Project) -> None:
    entry = "tiny: {path: model, training: {lora: {rank: 4, alpha: 8}}}\n"
    (project.root / "models.yaml").write_text(entry)
    trainer = project.trainer(project.cell(training={"learning_rate": 0.03}))
    trainer.train()
    checkpoint = project.root / "run" / "checkpoint-3"
    found, start = greedy_by_vllm(checkpoint), greedy_by_vllm(project.model)
    assert found == greedy_by_transformers(checkpoint)
    assert found != start


def test_scores_agree_within_sampling_error(tiny_model: Path, by_vllm: Completions) -> None:
    ours = rewards_of(by_vllm).mean(axis=1)  # (P, M)
    theirs = rewards_of(drawn(tiny_model, "transformers")).mean(axis=1)
    difference = ours - theirs
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(PROBLEMS))
    assert (error > 0).all()
    assert (error < 0.03).all()
    assert (np.abs(difference.mean(axis=0)) < 4 * error).all()


def test_lengths_agree_within_sampling_error(tiny_model: Path, by_vllm: Completions) -> None:
    theirs = drawn(tiny_model, "transformers")
    difference = (by_vllm.tokens - theirs.tokens).mean(axis=1)
    error = difference.std(ddof=1) / np.sqrt(len(PROBLEMS))
    assert abs(difference.mean()) < 4 * error


def test_completions_end_at_the_end_token(tiny_model: Path, by_vllm: Completions) -> None:
    end = load_tokenizer(tiny_model).eos_token_id
    for ids in by_vllm.ids:
        assert end not in ids[:-1]
        assert ids[-1] == end or len(ids) == TOKENS
    assert any(ids[-1] == end for ids in by_vllm.ids)
    assert by_vllm.samples == 32


def test_a_policy_gives_the_same_completions_every_time(
    tiny_model: Path, by_vllm: Completions
) -> None:
    assert drawn(tiny_model, "vllm").ids == by_vllm.ids
    assert drawn(tiny_model, "auto", seed=4).ids != by_vllm.ids


def test_samples_and_problems_draw_apart(by_vllm: Completions) -> None:
    first = [tuple(ids) for ids in by_vllm.ids[:32]]
    second = [tuple(ids) for ids in by_vllm.ids[32:64]]
    assert len(set(first)) > 10
    assert first != second


def test_drawing_leaves_the_random_streams_untouched(tiny_model: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return torch.rand(1).item(), random.random(), np.random.rand()

    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    expected = draw()
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    drawn(tiny_model, "vllm", samples=1)
    assert draw() == expected


def test_what_the_user_has_set_stays(tiny_model: Path, by_vllm: Completions) -> None:
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "1"


def test_an_initial_policy_evaluated_by_vllm_says_so(project: Project) -> None:
    study = project.study(evaluation={"backend": "auto"})
    evaluate_initial(study, "tiny", "math3")
    record = json.loads((study.layout.baseline("tiny", "math3") / "baseline.json").read_text())
    assert record["backend"] == read_baseline(study, "tiny", "math3").backend == "vllm"


def test_a_model_vllm_cannot_run_is_refused(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    prompts = encode_prompts(tokenizer, [PROBLEMS[0].prompt])
    sampling = Sampling(max_tokens=100_000)  # more than the model has positions for
    with pytest.raises(CrosstalkError, match="vLLM cannot run the model: ") as caught:
        complete(tiny_model, prompts, sampling, 1, seed=0, stops=[0])
    assert "\n" not in str(caught.value)
