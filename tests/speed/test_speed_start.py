"""What starting costs: the smoke study with each job on its own, and with jobs that are forked."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.commands.jobs.preloaded.wire import OFF, VARIABLE

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 2
WAYS = {"each on its own": {VARIABLE: OFF}, "forked": {}}


@pytest.fixture
def root(model: Path, tmp_path: Path) -> Path:
    """A project root with the study's model, made before."""
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "models.yaml").write_text("tiny-qwen2-base: {path: model}\n")
    studies = tmp_path / "workflow" / "studies"
    studies.mkdir(parents=True)
    shutil.copy(ROOT / "workflow" / "studies" / "smoke.yaml", studies)
    return tmp_path


def test_a_study_of_two_short_cells(benchmark: BenchmarkFixture, root: Path) -> None:
    """Processor time, of all processes; the ways take turns."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}

    def one_round() -> None:
        for way, variables in WAYS.items():
            shutil.rmtree(root / "results", ignore_errors=True)
            seconds[way].append(run(root, variables))

    benchmark.pedantic(one_round, rounds=ROUNDS)
    benchmark.extra_info["processor seconds"] = {way: min(each) for way, each in seconds.items()}
    print(seconds)


def run(root: Path, variables: dict[str, str]) -> float:
    """Run the study; return the processor time of its processes, which have all been waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | variables
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "run", "smoke"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
