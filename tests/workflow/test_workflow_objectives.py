"""The workflow of a study whose objectives read a reward model: what is planned, and when."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import Crosstalk
from reward_models import build_reward_model

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]

STUDY: dict[str, Any] = {
    "models": {"tiny": None},
    "objectives": {
        "helpful": {"objective": "reward_model", "model": "reward"},
        "short": {"objective": "length_penalty", "target": 4, "limit": 12},
        "raw": {"objective": "reward_model", "model": "reward", "squash": False},
        "scaled": {"objective": "calibrated", "reward": "raw", "policy": "tiny", "prompts": 8},
    },
    "objective_sets": {
        "hs": {"objectives": ["helpful", "short"]},
        "on-scale": {"objectives": ["short", "scaled"]},
        "accuracy-clarity": None,
    },
    "algorithms": {"linear": None},
    "seeds": [0],
}
PLAIN = STUDY | {"objectives": {}, "objective_sets": {"accuracy-clarity": None}}


@pytest.fixture
def root(tiny_model: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_model, tmp_path / "model")
    build_reward_model(tmp_path / "reward")
    (tmp_path / "models.yaml").write_text("tiny: {path: model}\nreward: {path: reward}\n")
    return tmp_path


def plan(crosstalk: Crosstalk, root: Path, study: dict[str, Any]) -> list[str]:
    """Return what a dry run says it would do, a line a job."""
    path = root / "workflow" / "studies" / "lab.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(study))
    status, output = crosstalk(root, "run", "lab", "--dry-run")
    assert status == 0, output
    return [line.partition(": ")[2] for line in output.splitlines() if line.startswith("Job ")]


def test_the_reward_model_and_the_scale_come_before_what_reads_them(
    root: Path, crosstalk: Crosstalk
) -> None:
    jobs = plan(crosstalk, root, STUDY)
    prepared = jobs.index("Prepare the model reward")
    fitted = jobs.index("Fit the scale of scaled")
    assert max(prepared, jobs.index("Prepare the model tiny")) < fitted
    scored = ["Evaluate the initial policy of tiny on on-scale", "Train tiny/on-scale/linear/seed0"]
    assert all(jobs.index(each) > fitted for each in scored)
    readers = [
        "Evaluate the initial policy of tiny on hs",
        "Train tiny/hs/linear/seed0",
        "Evaluate tiny/hs/linear/seed0",
    ]
    assert all(jobs.index(reader) > prepared for reader in readers)
    assert "Train tiny/accuracy-clarity/linear/seed0" in jobs


def test_a_study_that_does_not_name_it_does_not_prepare_it(
    root: Path, crosstalk: Crosstalk
) -> None:
    jobs = plan(crosstalk, root, PLAIN)
    assert "Prepare the model tiny" in jobs
    assert "Prepare the model reward" not in jobs
