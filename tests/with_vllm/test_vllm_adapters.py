"""Rollouts by an engine of vLLM where adapters alone are trained: it is given the whole model."""

import pytest
from projects import Project

LORA = "tiny: {path: model, training: {lora: {rank: 4, alpha: 8}}}\n"
SETTINGS = {
    "rollouts": "vllm",
    "learning_rate": 0.03,
    "steps": 4,
    "checkpoint_every": 4,
    "validate_every": 100,
    "diagnose_every": 0,
}


def differences(project: Project, name: str) -> list[float]:
    """Return of each step how far the engine's log-probabilities are from the policy's (mean)."""
    trainer = project.trainer(project.cell(training=SETTINGS), name)
    trainer.train()
    key = "sampling/sampling_logp_difference/mean"
    return [entry[key] for entry in trainer.state.log_history if key in entry]


def test_the_engine_draws_with_the_adapters(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "models.yaml").write_text(LORA)
    fresh = differences(project, "fresh")
    monkeypatch.setattr("benchmark.training.trainer.reload_weights", lambda engine, weights: None)
    stale = differences(project, "stale")
    assert len(fresh) == len(stale) == 4
    assert max(fresh) < 0.05  # the engine calculates in bfloat16
    assert stale[-1] > 5 * max(fresh)
