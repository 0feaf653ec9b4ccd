"""Start the preloaded process of a workflow, and end it with the workflow."""

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmark.commands.jobs.preloaded import wire

ENTRY = "benchmark.commands.cli"
SERVER = f"{__package__}.server"
PATIENCE = 10.0  # seconds that it may take to end
LONGEST = 100  # bytes of a socket's path; Linux takes 107

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offer:
    """What the workflow's process is started with, for its jobs to find the preloaded one."""

    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()  # that it holds while it lives


NO_OFFER = Offer({wire.VARIABLE: wire.OFF})


def obstacle(gpus: Sequence[str] = ()) -> str:
    """Return why jobs cannot be forked here, or nothing."""
    if os.environ.get(wire.VARIABLE) == wire.OFF:
        return f"{wire.VARIABLE} is {wire.OFF}"
    if not hasattr(os, "pidfd_open") or not Path("/proc/self/task").is_dir():
        return "this needs Linux"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return "this needs Linux 5.3"
    if gpus:
        return "this machine has GPUs, whose use does not survive a fork"
    if find_spec("vllm") is not None:
        return "vLLM is installed, which forks by itself"
    return ""


@contextmanager
def preloading(folder: Path, environment: Mapping[str, str], entry: str = ENTRY) -> Iterator[Offer]:
    """Offer a preloaded process, which imports nothing before a job asks, within the block.

    It ends when the block does and whoever was handed the offer's descriptors is gone.

    Args:
        folder: Where the jobs will run.
        environment: The variables that they will have.
        entry: The module whose ``preload()`` it calls, and whose ``main()`` each job does.
    """
    private = Path(tempfile.mkdtemp(prefix="crosstalk-"))  # for its user alone
    address = private / "jobs"
    if len(os.fsencode(address)) > LONGEST:
        logger.debug("jobs start plainly: %s is too long for a socket", address)
        private.rmdir()
        yield NO_OFFER
        return
    read, write = os.pipe()
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen(1024)
            process = _started(listener.fileno(), read, folder, environment, entry)
        os.close(read)
        try:
            yield Offer({wire.VARIABLE: str(address)}, (write,))
        finally:
            os.close(write)
            _end(process)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _started(
    listener: int, lifeline: int, folder: Path, environment: Mapping[str, str], entry: str
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", SERVER, str(listener), str(lifeline), entry],
        cwd=folder,
        env=dict(environment),
        pass_fds=[listener, lifeline],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the jobs' commands
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the process to end by itself, as it does when its jobs have."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
        return
    process.terminate()
    process.wait()
