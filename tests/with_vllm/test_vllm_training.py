"""Rollouts by an engine of vLLM in the training process, through the one trainer."""

from typing import Any

import pytest
import torch
from projects import Project
from torch import Tensor

from benchmark.training import MultiObjectiveGRPOTrainer


def trained(project: Project, name: str, **training: Any) -> MultiObjectiveGRPOTrainer:
    seed = training.pop("seed", 0)
    cell = project.cell(training={"rollouts": "vllm", **training}, seeds=[seed])
    trainer = project.trainer(cell, name)
    trainer.train()
    return trainer


def weights(trainer: MultiObjectiveGRPOTrainer) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def test_the_engine_draws_from_the_policy_as_it_is_after_each_update(project: Project) -> None:
    ratios: list[float] = []
    cell = project.cell(training={"rollouts": "vllm", "learning_rate": 0.03, "steps": 4})
    trainer = project.trainer(cell)
    before = weights(trainer)
    real = trainer._generate_and_score_completions

    def watched(inputs: Any) -> dict[str, Any]:
        output = real(inputs)
        # TRL's ratio of the policy's to the engine's probabilities of the completions drawn.
        ratios.extend(output["importance_sampling_ratio"].flatten().tolist())
        return output

    trainer._generate_and_score_completions = watched
    trainer.train()
    moved = max((p - before[n]).abs().max().item() for n, p in trainer.model.named_parameters())
    assert moved > 0.02  # far enough for stale weights to show
    assert ratios == pytest.approx([1.0] * len(ratios), abs=1e-3)


def test_seeds_draw_apart_and_a_seed_draws_the_same(project: Project) -> None:
    first, again, other = (
        weights(trained(project, name, seed=seed)) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
