"""A reward model and a length penalty through the real trainer and the stages."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from projects import Project, logged, same_weights
from reward_models import build_reward_model

from benchmark.commands.baseline import evaluate_initial, read_baseline
from benchmark.commands.evaluate import evaluate
from benchmark.commands.jobs.records import Evaluated
from benchmark.commands.prepare import prepare_objectives
from benchmark.commands.train import train
from benchmark.objectives.scorer import load_scorer
from benchmark.study import Cell
from benchmark.training.trainer import STATE_FILE

pytestmark = pytest.mark.slow  # real trainings

OWN: dict[str, Any] = {
    "objectives": {
        "helpful": {"objective": "reward_model", "model": "reward"},
        "short": {"objective": "length_penalty", "target": 4, "limit": 12},
    },
    "objective_sets": {"math3": None, "hs": {"objectives": ["helpful", "short"]}},
    "exclude": [{"objectives": "math3"}],
}


def cell_of(project: Project, **changes: Any) -> Cell:
    """Return the cell of the two objectives, its reward model in the project."""
    if not (project.root / "reward").exists():
        build_reward_model(project.root / "reward")
        with (project.root / "models.yaml").open("a") as file:
            file.write("reward: {path: reward}\n")
    return project.cell("ctwa", **OWN, **changes)


def test_trainer_saves_no_reward_model(project: Project) -> None:
    cell = cell_of(project)
    prepare_objectives(cell.study, cell.objective_set)
    trainer = project.trainer(cell)
    trainer.train()
    assert trainer.reward_func_names == ["helpful", "short"]
    for key in ("rewards/helpful/mean", "eval_rewards/helpful/mean", "rewards/short/mean"):
        assert all(0 < value < 1 for value in logged(trainer, key))
    assert len(logged(trainer, "covariance/weight/helpful")) == 3
    assert len(set(logged(trainer, "rewards/helpful/mean"))) == 3
    checkpoint = Path(trainer.args.output_dir) / "checkpoint-3"
    assert torch.load(checkpoint / STATE_FILE, weights_only=True)["objectives"] == [{}, {}]


def test_resumed_run_equals_the_unbroken_one(
    project: Project,
) -> None:
    cell = cell_of(project, training={"checkpoint_every": 2})
    prepare_objectives(cell.study, cell.objective_set)
    unbroken, resumed = project.trainer(cell, "unbroken"), project.trainer(cell, "resumed")
    unbroken.train()
    load_scorer.cache_clear()
    resumed.train(resume_from_checkpoint=str(project.root / "unbroken" / "checkpoint-2"))
    assert same_weights(unbroken.model, resumed.model)
    rewards = [logged(each, "rewards/helpful/mean") for each in (unbroken, resumed)]
    assert rewards[0] == rewards[1]


def test_stages_prepare_and_compare(
    tracked_project: Project,
) -> None:
    cell = cell_of(tracked_project)
    evaluate_initial(cell.study, "tiny", "hs")
    assert (tracked_project.root / "results/models/reward/prepared.json").is_file()
    train(cell)
    evaluate(cell)
    metrics = json.loads((cell.folder / Evaluated.FILE).read_text())["metrics"]
    frame = pd.read_parquet(cell.folder / "completions.parquet")
    initial = read_baseline(cell.study, "tiny", "hs").rewards  # (P, n, 2)
    assert metrics["test/helpful"] == pytest.approx(frame["reward/helpful"].mean())
    assert metrics["test/helpful/initial"] == pytest.approx(initial[:, :, 0].mean())
    expected = (1 - (frame["tokens"] - 4).clip(lower=0) / 8).tolist()
    assert frame["reward/short"].tolist() == pytest.approx(expected)
