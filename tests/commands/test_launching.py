"""Training a cell in two processes, started as the workflow starts it."""

import json
from typing import Any

import pytest
import yaml
from forked import Crosstalk
from projects import Project, merged
from tracked import tracked_runs

from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.gpus import ON_CPU, VISIBLE
from benchmark.commands.jobs.processes import launch
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import ACCELERATE
from benchmark.study.study import Cell
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.reading import run_curves

TWO = {"gpus": 2, "parallelism": "ddp"}
STEPS = {"training": {"steps": 2, "checkpoint_every": 1, "validate_every": 1}}


def with_resources(project: Project, resources: dict[str, Any], **changes: Any) -> Cell:
    """Return a cell whose model asks for these resources."""
    entries = {"tiny": {"path": "model", "resources": resources}}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entries))
    return project.cell("ctwa", **merged(STEPS, changes))


def train(crosstalk: Crosstalk, cell: Cell) -> tuple[int, str]:
    """Return the status and the output of training a cell in two processes without GPUs."""
    variables = {ON_CPU: "1", "OMP_NUM_THREADS": "2"}
    return crosstalk(cell.study.layout.root, "train", cell.study.name, cell.id, **variables)


@pytest.mark.slow
@pytest.mark.xdist_group("workflow")
def test_two_processes_leave_what_one_leaves(
    tracked_project: Project, crosstalk: Crosstalk
) -> None:
    cell = with_resources(tracked_project, TWO)
    status, output = train(crosstalk, cell)
    assert status == 0, output
    assert output.count(f"{cell.id}:   0%") == 1  # one of them draws a bar
    assert f"{cell.id}: 100%" in output
    record = json.loads((cell.folder / "train.json").read_text())
    last = cell.folder / record["checkpoint"]
    assert checkpoints.step_of(last) == 2
    checkpoints.verify(last)
    files = {file.name for file in last.iterdir()}
    assert {"model.safetensors", "crosstalk.pt"} <= files
    assert not {"optimizer.pt", "rng_state_0.pth"} & files  # nothing goes on from the last policy
    before = {file.name for file in last.with_name("checkpoint-1").iterdir()}
    assert {"model.safetensors", "optimizer.pt", "rng_state_0.pth", "rng_state_1.pth"} <= before
    uri = tracking_uri(tracked_project.root)
    assert tracked_runs(uri, cell.study.name)["run_id"].tolist() == [record["run_id"]]
    assert run_curves(uri, [record["run_id"]], "train/loss")["step"].tolist() == [1, 2]


@pytest.mark.slow
@pytest.mark.xdist_group("workflow")
def test_failed_process_fails_the_cell(tracked_project: Project, crosstalk: Crosstalk) -> None:
    cell = with_resources(tracked_project, TWO)
    (tracked_project.root / "results" / "mlflow.db").unlink()  # the first process tracks
    status, output = train(crosstalk, cell)
    assert status == 2
    assert output.splitlines()[-1].startswith(f"error: {cell.id}: process ")
    assert "Traceback" not in output
    assert not (cell.folder / "train.json").exists()


def test_fewer_gpus_than_processes_are_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = with_resources(project, TWO)
    monkeypatch.delenv(ON_CPU, raising=False)
    monkeypatch.setenv(VISIBLE, "0")
    with pytest.raises(CrosstalkError, match=r"tiny: resources\.gpus: needs 2 GPUs"):
        launch(cell)


def test_processes_are_part_of_the_hash(project: Project) -> None:
    hashes = [
        with_resources(project, resources).training_hash
        for resources in ({}, {"gpus": 1}, TWO, TWO | {"parallelism": "fsdp2"})
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize("name", ["ddp", "fsdp2"])
def test_the_launcher_takes_each_configuration(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ACCELERATE / f"{name}.yaml"))
    assert config.num_machines == 1
    assert (config.distributed_type == "FSDP") is (name == "fsdp2")
