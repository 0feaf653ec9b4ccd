"""A SLURM of one node on this machine's loopback, from Debian's packages, inside a block."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # inside jobs, SLURM looks nowhere else
PACKAGES = ("slurm-wlm", "munge")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
PARTITION = "loopback"
SETTINGS = """\
ClusterName=loopback
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
NodeName=localhost CPUs={cpus} RealMemory=1000000 State=UNKNOWN
PartitionName={partition} Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(Exception):
    """SLURM cannot be run here, and why."""


@contextmanager
def single_node(folder: Path) -> Iterator[None]:
    """Run a SLURM with one partition, :data:`PARTITION`, inside the block; then take it down.

    Raises:
        NoSlurm: This needs root and Debian's packages, and a machine without a SLURM of its own.
    """
    if os.geteuid() != 0:
        raise NoSlurm("SLURM's daemons need root")
    if CONFIGURATION.exists():
        raise NoSlurm(f"{CONFIGURATION} exists: this machine has a SLURM of its own")
    _install()
    with ExitStack() as stack:
        stack.enter_context(_munge())
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        CONFIGURATION.parent.mkdir(exist_ok=True)
        stack.callback(CONFIGURATION.unlink)
        cpus = len(os.sched_getaffinity(0))
        settings = SETTINGS.format(folder=folder, cpus=cpus, partition=PARTITION)
        CONFIGURATION.write_text(settings)
        stack.enter_context(_daemon("slurmctld", "-D"))
        stack.enter_context(_daemon("slurmd", "-D", "-N", "localhost"))
        stack.callback(_cancel_jobs)
        _await(lambda: _output("sinfo", "-h", "-o", "%t") == "idle", "an idle node")
        yield


def _install() -> None:
    if all(shutil.which(name) for name in PROGRAMS):
        return
    if shutil.which("apt-get") is None:
        raise NoSlurm("SLURM is not installed, and there is no apt-get to install it with")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--no-install-recommends", *PACKAGES]):
        command = ["apt-get", "-qq", *words]
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
            raise NoSlurm(f"`{' '.join(command)}` failed")


@contextmanager
def _munge() -> Iterator[None]:
    """Run munged, which signs SLURM's messages, as its own user; leave one that runs alone."""
    if _munge_answers():
        yield
        return
    run = Path("/run/munge")
    run.mkdir(exist_ok=True)
    shutil.chown(run, "munge", "munge")
    with _daemon("runuser", "-u", "munge", "--", "munged", "--foreground"):
        _await(
            lambda: subprocess.run(["munge", "-n"], capture_output=True).returncode == 0, "munge"
        )
        yield


def _munge_answers() -> bool:
    return subprocess.run(["munge", "-n"], capture_output=True).returncode == 0


@contextmanager
def _daemon(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cancel_jobs() -> None:
    jobs = _output("squeue", "-h", "-o", "%A").split()
    if jobs:
        subprocess.run(["scancel", *jobs], check=True)
        _await(lambda: not _output("squeue", "-h"), "the end of cancelled jobs")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def _await(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"SLURM on loopback: waited a minute for {what}")
        time.sleep(0.2)
