"""What planning costs: a dry run of the paper study with ten thousand cells."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).parents[2]
SEEDS = 223  # × 45 cells a seed


@pytest.fixture
def study(tmp_path: Path) -> Path:
    settings = yaml.safe_load((ROOT / "workflow" / "studies" / "paper.yaml").read_text())
    settings["seeds"] = list(range(SEEDS))
    file = tmp_path / "many.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


def test_a_dry_run_of_ten_thousand_cells(benchmark: BenchmarkFixture, study: Path) -> None:
    command = [sys.executable, "-m", "benchmark", "run", str(study), "--dry-run"]

    def plan() -> str:
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    output = benchmark.pedantic(plan, rounds=1, iterations=1)
    assert f"train          {SEEDS * 45}" in output
