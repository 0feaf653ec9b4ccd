"""The real workflow on a study of a few seconds: run, rerun, kill, resume, extend, fail."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml
from called import Call
from forked import Crosstalk
from studies import tree

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]

OWN_SCALARIZER = '''
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import ScoreScalarizer


class Cautious(ScoreScalarizer):
    """The worst objective counts twice."""

    def score(self, rewards):
        return rewards @ self.weights + rewards.min(dim=1).values


class Broken(ScoreScalarizer):
    def score(self, rewards):
        raise CrosstalkError("algorithm 'broken': always fails")
'''
STUDY: dict[str, Any] = {
    "models": {"tiny": None},
    "objective_sets": {"accuracy-clarity": None},
    "algorithms": {"ctwa": None, "cautious": {"scalarizer": "own_scalarizers:Cautious"}},
    "seeds": [0],
    "task": {"train": 32, "validation": 8, "test": 16},
    "sampling": {"max_tokens": 16},
    "evaluation": {"samples": 2},
    "training": {
        "steps": 16,
        "prompts_per_step": 4,
        "completions_per_prompt": 4,
        "learning_rate": 1.0e-3,
        "validate_every": 10,
        "checkpoint_every": 2,
    },
}
CTWA, CAUTIOUS = (f"tiny/accuracy-clarity/{name}/seed0" for name in ("ctwa", "cautious"))
TABLES = ("leaderboard.csv", "tables.csv", "cells.csv", "leaderboard.md")


@dataclass(frozen=True)
class Lab:
    """A project of its own with the study ``lab``."""

    root: Path
    crosstalk: Crosstalk

    def write(self, **changes: Any) -> None:
        path = self.root / "workflow" / "studies" / "lab.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(STUDY | changes))

    def start(self) -> "subprocess.Popen[str]":
        """Start a run of the study as its users do."""
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark", "run", "lab"],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self, command: str, *arguments: str) -> tuple[int, str]:
        """Call a command on the study, forked; return its status and output."""
        return self.crosstalk(self.root, command, "lab", *arguments)

    def table(self, name: str) -> bytes:
        return (self.root / "results" / "boards" / "lab" / name).read_bytes()

    def cell(self, cell: str) -> Path:
        return self.root / "results" / "runs" / "lab" / cell


def ended(process: "subprocess.Popen[str]", seconds: float = 600) -> str:
    """Return what a process printed until it ended; one that takes too long is ended, and fails."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        process.terminate()


@pytest.fixture(scope="module")
def make_lab(
    tiny_model: Path, crosstalk: Crosstalk, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Lab]:
    def make() -> Lab:
        lab = Lab(tmp_path_factory.mktemp("lab"), crosstalk)
        shutil.copytree(tiny_model, lab.root / "model")
        (lab.root / "models.yaml").write_text("tiny: {path: model}\n")
        (lab.root / "own_scalarizers.py").write_text(OWN_SCALARIZER)
        lab.write()
        return lab

    return make


@pytest.fixture(scope="module")
def unbroken(make_lab: Callable[[], Lab]) -> tuple[Lab, str]:
    """A finished study, and what its run printed."""
    lab = make_lab()
    process = lab.start()
    output = ended(process)
    assert process.returncode == 0, output
    return lab, output


def test_a_study_ends_with_its_leaderboard_printed(unbroken: tuple[Lab, str]) -> None:
    lab, output = unbroken
    assert lab.table("leaderboard.md").decode() in output
    assert (lab.root / "results/boards/lab/provenance.json").is_file()


def test_a_users_own_scalarizer_runs_by_its_name_in_the_study(unbroken: tuple[Lab, str]) -> None:
    lab, _ = unbroken
    cells = pd.read_csv(lab.root / "results/boards/lab/cells.csv")
    assert set(cells["algorithm"]) == {"ctwa", "cautious"}
    assert cells["final"].between(0, 1).all()


def test_each_cell_leaves_a_log_and_a_benchmark_file(unbroken: tuple[Lab, str]) -> None:
    lab, _ = unbroken
    for stage in ("train", "evaluate"):
        assert "max_rss" in (lab.cell(CTWA) / f"{stage}.benchmark.tsv").read_text()
    assert f"{CTWA}: 100%" in (lab.cell(CTWA) / "train.log").read_text()


def test_a_second_run_starts_no_job(unbroken: tuple[Lab, str]) -> None:
    lab, _ = unbroken
    status, output = lab.call("run")
    assert status == 0
    assert "Nothing to be done" in output


def test_rebuilding_the_leaderboard_gives_the_same_files(
    unbroken: tuple[Lab, str], call: Call
) -> None:
    lab, _ = unbroken
    names = (*TABLES, "provenance.json")
    before = [lab.table(name) for name in names]
    status, output = call(lab.root, "leaderboard", "lab")
    assert status == 0, output
    assert [lab.table(name) for name in names] == before


def test_snakemakes_report_holds_the_tables_with_their_captions(
    unbroken: tuple[Lab, str],
) -> None:
    lab, _ = unbroken
    status, output = lab.call("run", "--report", "report.html")
    assert status == 0, output
    report = (lab.root / "report.html").read_text()
    for part in ("leaderboard.csv", "interference rate, severity"):
        assert part in report


def test_an_addition_runs_only_its_own_cells(unbroken: tuple[Lab, str]) -> None:
    lab, _ = unbroken
    lab.write(seeds=[0, 1], algorithms=STUDY["algorithms"] | {"linear": None})
    try:
        status, output = lab.call("run", "--dry-run")
    finally:
        lab.write()
    assert status == 0
    trained = {line.rpartition(" ")[2] for line in output.splitlines() if ": Train " in line}
    names = ("ctwa", "cautious", "linear")
    cells = {f"tiny/accuracy-clarity/{name}/seed{seed}" for name in names for seed in (0, 1)}
    assert trained == cells - {CTWA, CAUTIOUS}


def copied(unbroken: tuple[Lab, str], make_lab: Callable[[], Lab], *dropped: str) -> Lab:
    """Return a copy of the finished study without these cells, and without its board."""
    lab = make_lab()
    for folder in ("results", ".snakemake"):
        shutil.copytree(unbroken[0].root / folder, lab.root / folder)
    for cell in dropped:
        shutil.rmtree(lab.cell(cell))
    shutil.rmtree(lab.root / "results" / "boards")
    return lab


@dataclass(frozen=True)
class Killed:
    """A run of one cell whose training was killed, and after its second try began, Snakemake."""

    lab: Lab
    status: int
    output: str
    alive: list[psutil.Process]  # of its jobs, half a minute later


@pytest.fixture(scope="module")
def killed(unbroken: tuple[Lab, str], make_lab: Callable[[], Lab]) -> Killed:
    lab = copied(unbroken, make_lab, CTWA)
    process = lab.start()
    await_checkpoint(lab, process, CTWA)
    (training,) = trainings(process)
    training.kill()
    (again,) = await_training(process, training)
    (snakemake,) = children(process.pid, "snakemake")
    orphans = children(snakemake.pid, "benchmark") + children(snakemake.pid, "crosstalk")
    snakemake.kill()
    output = ended(process, 300)
    _, alive = psutil.wait_procs([again, *orphans], timeout=30)
    return Killed(lab, process.returncode, output, alive)


def test_what_is_killed_is_tried_again_and_ends_with_its_run(killed: Killed) -> None:
    assert "Trying to restart job" in killed.output
    assert killed.status != 0
    assert not killed.alive


def test_a_killed_run_completes_though_its_preloaded_process_is_killed(
    unbroken: tuple[Lab, str], killed: Killed
) -> None:
    lab = killed.lab
    assert not (lab.cell(CTWA) / "train.json").exists()
    process = lab.start()
    if sys.platform == "linux":  # it forks there alone
        kill_preloaded(lab, process)
    output = ended(process)
    assert process.returncode == 0, output
    assert_same_tables(lab, unbroken[0])
    if sys.platform == "linux":
        assert "Trying to restart job" in output
        logs = [path.read_text() for path in (lab.root / "results").rglob("*.log")]
        assert any("not forked: no process answers" in text for text in logs)


def kill_preloaded(lab: Lab, process: "subprocess.Popen[str]") -> None:
    """Kill the preloaded process once it has forked the last job: others would start plainly."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        evaluated = (lab.cell(CTWA) / "evaluation.json").exists()
        if evaluated and children(process.pid, "leaderboard"):  # which waits for what is forked
            for server in children(process.pid, "preloaded.server"):
                with suppress(psutil.NoSuchProcess):
                    if server.ppid() == process.pid and server.children():
                        server.kill()
                        return
        time.sleep(0.02)
    process.terminate()
    raise AssertionError(f"no job was forked in time: {process.communicate()[0]}")


def test_a_cell_that_fails_harms_no_other_and_is_named(
    unbroken: tuple[Lab, str], make_lab: Callable[[], Lab]
) -> None:
    lab = copied(unbroken, make_lab)
    lab.write(
        algorithms={"linear": None, "broken": {"scalarizer": "own_scalarizers:Broken"}},
        training=STUDY["training"] | {"steps": 2},
    )
    status, output = lab.call("run")
    assert status != 0
    broken = lab.cell("tiny/accuracy-clarity/broken/seed0").relative_to(lab.root)
    cell = "tiny/accuracy-clarity/broken/seed0"
    told = (
        f"failed: train {cell}: algorithm 'broken': always fails ({broken / 'train.log'}); "
        f"again: `crosstalk train lab {cell}`"
    )
    assert output.splitlines().count(told) == 1
    assert output.count("always fails") == 1  # a second try would change nothing
    for noise in ("RuleException", "Traceback", "Trying to restart"):
        assert noise not in output
    assert not list((lab.root / "results").glob(".failures.*"))
    assert "1 of 2 cells count" in output
    assert "broken/seed0" in lab.table("leaderboard.md").decode()
    assert set(pd.read_csv(lab.root / "results/boards/lab/cells.csv")["algorithm"]) == {"linear"}


@pytest.mark.parametrize("automatic", [True, False])
def test_a_dry_run_writes_nothing(
    unbroken: tuple[Lab, str], make_lab: Callable[[], Lab], automatic: bool
) -> None:
    lab = make_lab()
    boards = lab.root / "results" / "boards"
    if not automatic:
        shutil.copytree(unbroken[0].root / "results" / "boards", boards)
    before = tree(lab.root / "results")
    lab.write(diagnosis={"steps": [0], "automatic": automatic})
    status, output = lab.call("run", "--dry-run")
    assert status == 0
    assert f"Train {CTWA}" in output  # a board does not pass for a run
    assert (f"Diagnose {CTWA}" in output) is automatic
    assert tree(lab.root / "results").keys() - {".workflow.lock"} == before.keys()
    assert boards.exists() is not automatic


def test_a_diagnosis_trains_what_it_needs_and_ends_with_its_report(
    unbroken: tuple[Lab, str], make_lab: Callable[[], Lab]
) -> None:
    lab = copied(unbroken, make_lab)
    plan = {"steps": [0, 2], "prompts": 8, "samples": 2, "max_prompts": 8, "multiples": [1.0]}
    lab.write(
        algorithms={"linear": None},
        task=STUDY["task"] | {"validation": 2},  # as many states are probed
        training=STUDY["training"] | {"steps": 3, "checkpoint_every": 1},
        diagnosis=plan,
    )
    status, output = lab.call("diagnose")
    assert status == 0, output
    assert lab.table("diagnosis.md").decode() in output
    changes = pd.read_csv(lab.root / "results/boards/lab/diagnosis/changes.csv")
    assert changes.groupby(["step", "objective"]).size().to_dict() == {
        (step, name): 1 for step in (0, 2) for name in ("accuracy", "clarity")
    }
    for figure in ("predicted-and-realised", "best-weights", "traces-tiny-accuracy-clarity"):
        for ending in ("svg", "png", "csv"):
            assert (lab.root / f"results/boards/lab/diagnosis/{figure}.{ending}").is_file()
    status, output = lab.call("diagnose", "--dry-run")
    assert status == 0
    assert "Nothing to be done" in output


def await_checkpoint(lab: Lab, process: "subprocess.Popen[str]", *cells: str) -> str:
    """Wait until one of these cells has a sealed checkpoint, and return its id."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        for cell in cells:
            if any(lab.cell(cell).glob("checkpoints/*/manifest.json")):
                return cell
        time.sleep(0.02)
    process.terminate()
    raise AssertionError(f"no checkpoint in time: {process.communicate()[0]}")


def trainings(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return [each for each in children(process.pid, "train") if CTWA in each.cmdline()]


def await_training(
    process: "subprocess.Popen[str]", killed: psutil.Process
) -> list[psutil.Process]:
    """Wait until the cell is trained by another process than the killed one."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        if found := [each for each in trainings(process) if each.pid != killed.pid]:
            return found
        time.sleep(0.02)
    process.terminate()
    raise AssertionError(f"not tried again in time: {process.communicate()[0]}")


def children(pid: int, word: str) -> list[psutil.Process]:
    """Return the processes below ``pid`` whose command line has ``word`` in an argument."""
    return list(_matching(psutil.Process(pid).children(recursive=True), word))


def _matching(processes: list[psutil.Process], word: str) -> Iterator[psutil.Process]:
    for process in processes:
        try:
            if any(word in argument for argument in process.cmdline()):
                yield process
        except psutil.NoSuchProcess:
            continue


def assert_same_tables(lab: Lab, other: Lab) -> None:
    for name in TABLES:
        assert lab.table(name) == other.table(name), name


def test_sigterm_ends_a_run_and_leaves_nothing_half_written(
    unbroken: tuple[Lab, str], make_lab: Callable[[], Lab]
) -> None:
    lab = copied(unbroken, make_lab, CTWA, CAUTIOUS)
    lab.write(training=STUDY["training"] | {"steps": 400})
    process = lab.crosstalk.start(lab.root, "run", "lab")
    cell = await_checkpoint(lab, process, CTWA, CAUTIOUS)
    process.send_signal(signal.SIGTERM)
    output = ended(process, 300)
    assert process.returncode == 143
    assert "Trying to restart job" not in output
    assert not (lab.cell(cell) / "train.json").exists()
    assert not list(lab.root.glob("results/**/.*.json.*"))


def test_a_workflow_refuses_another_study_than_it_was_started_with(
    unbroken: tuple[Lab, str],
) -> None:
    """As a cluster's job does, whose Snakemake reads the study again."""
    lab, _ = unbroken
    snakefile = Path(__file__).parents[2] / "workflow" / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(snakefile)]
    config = ["--config", "study=workflow/studies/lab.yaml", "snapshot=snapshot-of-another"]
    done = subprocess.run(
        [*command, *config], cwd=lab.root, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert (
        "workflow/studies/lab.yaml: expected hash snapshot-of-another, got snap"
        in done.stdout + done.stderr
    )
