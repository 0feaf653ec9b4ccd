"""The paper study's whole matrix as the workflow plans it: offline, the data in a folder."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from forked import Crosstalk

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]

ROOT = Path(__file__).parents[2]
SIZES = {"train": 300, "val": 100, "test": 100}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project root with the project's models and a folder of self-written problems."""
    shutil.copy(ROOT / "models.yaml", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "workflow" / "studies").mkdir(parents=True)
    for split, size in SIZES.items():
        rows = [
            {
                "problem": f"What is {number} + {len(split)}?",
                "answer": str(number + len(split)),
                "unique_id": f"{split}/{number}",
            }
            for number in range(size)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{split}.jsonl").write_text(text)
    return tmp_path


def planned(crosstalk: Crosstalk, root: Path, name: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run plans, without the hub."""
    study = yaml.safe_load((ROOT / "workflow" / "studies" / f"{name}.yaml").read_text())
    study["task"]["path"] = "data"
    (root / "workflow" / "studies" / f"{name}.yaml").write_text(yaml.safe_dump(study))
    status, output = crosstalk(root, "run", name, "--dry-run", "--quiet", "rules")
    assert status == 0, output
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


@pytest.mark.parametrize(("name", "cells"), [("paper", 135), ("paper-reinforce", 135)])
def test_the_whole_matrix_is_planned_without_the_hub(
    root: Path, crosstalk: Crosstalk, name: str, cells: int
) -> None:
    jobs = planned(crosstalk, root, name)
    assert (jobs["train"], jobs["evaluate"]) == (cells, cells)
    assert (jobs["prepare"], jobs["baseline"], jobs["leaderboard"]) == (3, 3, 1)
    assert not (root / "results" / "runs").exists()
