"""Every scalarizer trains, and goes on from a checkpoint as if nothing had happened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from projects import Project, same, same_weights

from benchmark.models.policy.loading import load_policy
from benchmark.scalarizers import SCALARIZERS, scalarizer_class
from benchmark.training import MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

FILE = Path(__file__).parents[2] / "workflow" / "studies" / "scalarizers.yaml"
STUDY: dict[str, Any] = yaml.safe_load(FILE.read_text())
# The study's algorithms on the tests' own model, which two seconds have taught to stop now and then
# but nothing that is right or clear. Two steps an epoch: four reach into the second.
SMALLER: dict[str, Any] = {
    "task": {"train": 8},
    "objectives": {
        "short": {"objective": "length_penalty", "target": 2, "limit": 24},
        "brief": {"objective": "length_penalty", "target": 2, "limit": 12, "shape": "cosine"},
    },
    "objective_sets": {"math3": {"objectives": ["short", "conciseness", "brief"]}},
    "sampling": {"max_tokens": 24},
    "training": STUDY["training"] | {"learning_rate": 3e-3, "steps": 4},
}


def scalarizers() -> Iterator[str]:
    for name, given in STUDY["algorithms"].items():
        yield (given or {}).get("scalarizer", name)


def weights_over_steps(trainer: MultiObjectiveGRPOTrainer) -> list[dict[str, float]]:
    kept = ("scalarizer/", "gradient/", "covariance/", "rewards/", "loss")
    rows = [
        {key: value for key, value in row.items() if key.startswith(kept)}
        for row in trainer.state.log_history
    ]
    return [row for row in rows if "loss" in row]


def test_the_study_has_every_scalarizer() -> None:
    used = {scalarizer_class(name) for name in scalarizers()}
    assert used >= set(SCALARIZERS.values())


@pytest.mark.parametrize("algorithm", STUDY["algorithms"])
def test_a_scalarizer_trains_and_resumes_bit_for_bit(project: Project, algorithm: str) -> None:
    cell = project.cell(algorithm, STUDY["algorithms"][algorithm], **SMALLER)
    whole = project.trainer(cell, "whole")
    whole.train()
    assert not same_weights(whole.model, load_policy(project.model))
    steps = weights_over_steps(whole)
    assert len(steps) == 4
    assert {f"scalarizer/weight/{name}" for name in cell.objectives} <= steps[0].keys()
    torch.rand(1)
    again = project.trainer(cell, "again")
    again.args.eval_on_start = False
    again.train(resume_from_checkpoint=str(project.root / "whole" / "checkpoint-3"))
    assert same_weights(whole.model, again.model)
    assert weights_over_steps(again) == steps
    state = whole.scalarizer.state_dict()
    assert same(again.scalarizer.state_dict(), state)
    if state:  # it learnt something, and would not have got there from the start
        assert not same(state, cell.make_scalarizer().state_dict())
