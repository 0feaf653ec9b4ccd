"""Shares of a GPU: who is given which, how much memory each may use, and what is told."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from projects import Project

from benchmark.commands.check import check_gpu, out_of_memory
from benchmark.commands.jobs import gpus
from benchmark.commands.jobs.failures import by_hand
from benchmark.commands.jobs.gpus import VISIBLE, lease_gpus, lease_share, limit_memory
from benchmark.commands.jobs.profiles import Profile
from benchmark.commands.run import check_given
from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse
from benchmark.models.entry import Resources
from benchmark.models.policy import vllm
from benchmark.study import Study, shares_gpus, training_gpus

POOL = ("5", "7")


def shared(project: Project, **resources: Any) -> Study:
    entry = {"tiny": {"path": "model", "resources": resources}}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entry))
    return project.study()


class Full(Exception):
    """What a lease would wait for is not there."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seconds: float) -> None:
        raise Full

    monkeypatch.setattr(time, "sleep", refuse)


# --- leases ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_five_fifths_are_on_a_gpu_and_a_sixth_waits(tmp_path: Path) -> None:
    held = [lease_share(20, ["5"], tmp_path) for _ in range(5)]
    assert all(each.ids == ("5",) for each in held)
    with pytest.raises(Full):
        lease_share(20, ["5"], tmp_path)
    held[2].close()
    again = lease_share(20, ["5"], tmp_path)
    with pytest.raises(Full):
        lease_share(1, ["5"], tmp_path)
    for each in (*held, again):
        each.close()
    assert lease_gpus(1, ["5"], tmp_path).ids == ("5",)


@pytest.mark.usefixtures("impatient")
def test_a_whole_gpu_and_a_share_exclude_each_other(tmp_path: Path) -> None:
    share = lease_share(1, ["5"], tmp_path)
    with pytest.raises(Full):
        lease_gpus(1, ["5"], tmp_path)
    share.close()
    whole = lease_share(100, ["5"], tmp_path)
    with pytest.raises(Full):
        lease_share(1, ["5"], tmp_path)
    whole.close()
    assert lease_share(60, ["5"], tmp_path).ids == ("5",)


def test_shares_spread_over_gpus_and_go_where_there_is_room(tmp_path: Path) -> None:
    held = [lease_share(percent, POOL, tmp_path) for percent in (30, 60, 60, 40)]
    assert [each.ids[0] for each in held] == ["5", "7", "5", "7"]  # 30, then 60 beside it


def test_a_share_shows_its_gpu_and_its_children_hold_it(tmp_path: Path) -> None:
    lease = lease_share(25, ["5"], tmp_path)
    assert lease.environment[VISIBLE] == "5"
    assert lease.environment[gpus.SHARE] == "25"
    paths = lease.environment[gpus.HELD].split(":")
    children = [gpus._shared(Path(path)) for path in paths]
    lease.close()
    assert gpus._used("5", tmp_path) == 25  # as a child of a killed job would
    assert len(children) == 2


def test_a_share_of_no_gpu_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"needs 0\.2 GPUs, but this machine has 0"):
        lease_share(20, (), tmp_path)


# --- what a process may use --------------------------------------------------------------------


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A made-up card of 15 GB; returns the shares of it that torch was told."""
    told: list[float] = []
    properties = SimpleNamespace(total_memory=15e9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", told.append)
    monkeypatch.setattr(vllm, "GPU_SHARE", 0.9)
    return told


def test_a_process_is_told_its_share_less_what_libraries_take(
    card: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(gpus.SHARE, "40")
    limit_memory()
    assert card == [pytest.approx(0.4 - 1.5 / 15)]
    assert pytest.approx(0.9 * 0.4) == vllm.GPU_SHARE
    monkeypatch.setenv(gpus.SHARE, "10")
    limit_memory()
    assert card[1:] == [pytest.approx(0.05)]


@pytest.mark.parametrize("share", ["", "100", "200"])
def test_whole_gpus_are_not_limited(
    card: list[float], monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    monkeypatch.setenv(gpus.SHARE, share)
    limit_memory()
    assert card == []
    assert vllm.GPU_SHARE == 0.9


def test_an_engine_beside_training_gets_its_part_of_the_share() -> None:
    def engine(**given: Any) -> float:
        return parse(Resources, given, "models.yaml: tiny: resources").vllm_memory

    assert engine(gpus=0.5, vllm_memory=0.4) == pytest.approx(0.2)
    assert engine(gpus=1, vllm_memory=0.4) == engine(vllm_memory=0.4) == 0.4
    assert engine(gpus=2) == 0.3


@pytest.mark.parametrize("given", [1.5, -1, 0.001, -0.5])
def test_neither_a_whole_number_nor_a_share_is_refused(given: float) -> None:
    with pytest.raises(CrosstalkError, match="expected a whole number of GPUs or a share"):
        parse(Resources, {"gpus": given}, "models.yaml: tiny: resources")


# --- what a study says -------------------------------------------------------------------------


def test_a_share_changes_no_hash_and_is_one_process(project: Project) -> None:
    plain = project.study().cells[0]
    study = shared(project, gpus=0.2)
    cell = study.cells[0]
    assert (cell.hash, cell.processes) == (plain.hash, 1)
    assert training_gpus(study, "tiny", "math3") == 0.2
    assert shares_gpus(study)
    assert not shares_gpus(plain.study)
    assert not shares_gpus(shared(project, gpus=2))


def test_memory_is_checked_against_the_share(project: Project, card: list[float]) -> None:
    check_gpu(shared(project, gpus=1), "tiny")  # 1.7 GB
    with pytest.raises(
        CrosstalkError,
        match=r"0\.1 of this GPU has 2 GB; in models\.yaml, tiny: resources\.gpus above 0\.1, or",
    ):
        check_gpu(shared(project, gpus=0.1), "tiny")


def test_a_cell_out_of_memory_names_the_share_to_change(project: Project) -> None:
    said = out_of_memory(shared(project, gpus=0.2).cells[0])
    assert "out of GPU memory; in models.yaml, tiny: resources.gpus above 0.2, or" in said
    assert "resources.gpus" not in out_of_memory(shared(project, gpus=1).cells[0])


def test_any_job_out_of_its_share_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpus.SHARE, "20")
    told = gpus.share_too_small(torch.OutOfMemoryError("CUDA out of memory"))
    assert told is not None
    assert "resources.gpus above 0.2" in told
    assert gpus.share_too_small(RuntimeError("another")) is None
    monkeypatch.setenv(gpus.SHARE, "100")
    assert gpus.share_too_small(torch.OutOfMemoryError("CUDA out of memory")) is None


def test_gpus_given_by_hand_are_told_from_hundredths(project: Project) -> None:
    study, local = shared(project, gpus=0.2), Profile.load("gpu")
    for given in (["--resources", "gpu=2"], ["--resources=mem_mb=1", "--resources", "gpu=150"]):
        with pytest.raises(CrosstalkError, match="gpu: expected 100 for each GPU"):
            check_given(study, given, local)
    check_given(study, ["--resources", "gpu=200"], local)
    check_given(study, ["--cores", "2"], local)
    check_given(study, ["--resources", "gpu=2"], Profile.load("slurm"))
    check_given(shared(project, gpus=1), ["--resources", "gpu=2"], local)


def test_by_hand_no_share_is_leased() -> None:
    command = "exec crosstalk --end-with-parent --lease-gpu-percent 20 train lab cell > log 2>&1"
    assert by_hand(command) == "crosstalk train lab cell"
