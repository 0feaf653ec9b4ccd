"""Leases of GPUs, with ids that no machine has: what counts is who is given which."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from benchmark.commands.cli import app
from benchmark.commands.jobs import gpus as gpu_leases
from benchmark.commands.jobs.gpus import VISIBLE, hold_inherited, lease_gpus, machine_gpus
from benchmark.common.errors import CrosstalkError

ROOT = Path(__file__).parents[2]
POOL = ("5", "7")
# Holds GPUs for a while, as a job does; says which, and when it had them.
JOB = """
import os, sys, time
from pathlib import Path
from benchmark.commands.jobs.gpus import lease_gpus
lease = lease_gpus(int(sys.argv[2]), ("5", "7"), Path(sys.argv[1]))
start = time.monotonic()
time.sleep(float(sys.argv[3]))
print(*lease.ids, start, time.monotonic(), flush=True)
"""
# Holds a GPU, starts a child in a session of its own that holds it too, and says the child's id.
LAUNCHER = """
import os, subprocess, sys, time
from pathlib import Path
from benchmark.commands.jobs.gpus import lease_gpus
lease = lease_gpus(1, ("5", "7"), Path(sys.argv[1]))
child = ("import time; from benchmark.commands.jobs.gpus import hold_inherited;"
         "lease = hold_inherited(); print(1, flush=True); time.sleep(60)")
process = subprocess.Popen([sys.executable, "-c", child], env=os.environ | lease.environment,
                           start_new_session=True, stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_leases, "POLL", 0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a script with the folder of the locks and further arguments; ends it in the end."""
    processes = []

    def begin(script: str, *arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", script, str(tmp_path), *map(str, arguments)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def free(folder: Path) -> tuple[str, ...]:
    """Return the GPUs of the pool that nobody holds."""
    found = []
    for id_ in POOL:
        locks = gpu_leases._free([id_], 1, folder)
        found += locks
        for descriptor in locks.values():
            os.close(descriptor)
    return tuple(found)


def await_free(folder: Path, expected: tuple[str, ...]) -> None:
    deadline = time.monotonic() + 20
    while free(folder) != expected:
        assert time.monotonic() < deadline, free(folder)
        time.sleep(0.05)


# --- which GPUs there are --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("0,1", ("0", "1")),
        (" 3 , 1 ", ("3", "1")),
        ("GPU-8f2a,MIG-77", ("GPU-8f2a", "MIG-77")),
        ("", ()),
        ("-1", ()),
        ("2,-1,3", ("2",)),
        ("1,1", ("1",)),
        ("NoDevFiles", ()),
    ],
)
def test_the_parents_choice_of_gpus_is_the_pool(
    monkeypatch: pytest.MonkeyPatch, value: str, ids: tuple[str, ...]
) -> None:
    monkeypatch.setenv(VISIBLE, value)
    assert machine_gpus() == ids


def test_without_a_choice_the_driver_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine_gpus() == ()
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 0\necho 1\n")
    driver.chmod(0o755)
    assert machine_gpus() == ("0", "1")
    driver.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    assert machine_gpus() == ()


# --- who gets which --------------------------------------------------------------------------


def test_leased_gpu_is_handed_out_once(tmp_path: Path) -> None:
    first = lease_gpus(1, POOL, tmp_path)
    second = lease_gpus(1, POOL, tmp_path)
    assert (first.ids, second.ids) == (("5",), ("7",))
    first.close()
    assert lease_gpus(1, POOL, tmp_path).ids == ("5",)
    second.close()


def test_several_gpus_come_at_once_or_not_at_all(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    held = lease_gpus(1, POOL, tmp_path)
    waiting = start(JOB, 2, 0)
    time.sleep(0.5)
    assert waiting.poll() is None
    assert free(tmp_path) == ("7",)
    held.close()
    assert waiting.communicate(timeout=20)[0].split()[:2] == ["5", "7"]


def test_no_two_of_many_jobs_share_a_gpu(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    jobs = [start(JOB, count, 0.15) for count in (1, 1, 2, 1, 2, 1, 1, 2)]
    spans = []
    for job in jobs:
        *ids, begin, end = job.communicate(timeout=60)[0].split()
        assert job.returncode == 0
        spans += [(id_, float(begin), float(end)) for id_ in ids]
    assert len(spans) == 11
    for id_ in POOL:
        own = sorted((begin, end) for gpu, begin, end in spans if gpu == id_)
        assert len(own) > 1
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))


def test_a_killed_holder_frees_its_gpu(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = start(JOB, 1, 60)
    await_free(tmp_path, ("7",))
    holder.kill()
    holder.wait()
    await_free(tmp_path, POOL)


def test_child_of_killed_launcher_keeps_its_gpu(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    launcher = start(LAUNCHER)
    assert launcher.stdout is not None
    child = psutil.Process(int(launcher.stdout.readline()))
    launcher.kill()
    launcher.wait()
    assert free(tmp_path) == ("7",)
    child.kill()
    await_free(tmp_path, POOL)


def test_a_process_without_leases_inherits_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gpu_leases.HELD, raising=False)
    assert hold_inherited().ids == ()


def test_too_few_gpus_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"needs 3 GPUs, but this machine has 2 \(5,7\)"):
        lease_gpus(3, POOL, tmp_path)


def test_a_folder_that_cannot_hold_locks_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CrosstalkError, match=r"file: cannot hold locks"):
        lease_gpus(1, POOL, tmp_path / "file")


# --- the command line ------------------------------------------------------------------------


@pytest.fixture
def see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command in the place of ``crosstalk list`` that returns which GPUs it sees."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("benchmark.commands.listing.rows", lambda *_: [os.environ[VISIBLE]])

    def run(*options: str) -> str:
        with monkeypatch.context() as patch:
            for name in (VISIBLE, "CUDA_DEVICE_ORDER", gpu_leases.HELD):  # put back afterwards
                patch.setenv(name, {VISIBLE: "5,7"}.get(name, ""))
            command = [*options, "list", "studies"]
            return CliRunner().invoke(app, command, catch_exceptions=False).stdout.strip()

    return run


def test_command_sees_its_leased_gpus_alone(tmp_path: Path, see: Callable[..., str]) -> None:
    assert see("--lease-gpus", "1") == "5"
    assert see("--lease-gpus", "0") == ""
    assert see() == "5,7"
    held = lease_gpus(1, POOL, tmp_path / f"crosstalk-gpus-{os.getuid()}")
    assert see("--lease-gpus", "1") == "7"
    held.close()
    assert see("--lease-gpus", "2") == "5,7"


def test_too_few_given_gpus(see: Callable[..., str]) -> None:
    assert see("--given-gpus", "2") == "5,7"
    with pytest.raises(CrosstalkError, match=r"--given-gpus: needs 3 GPUs"):
        see("--given-gpus", "3")
