"""Raise SIGTERM as an exception, so that a killed process closes what it holds open."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PR_SET_PDEATHSIG = 1  # from Linux's <sys/prctl.h>
EXIT_CODE = 128 + signal.SIGTERM  # what a shell reports for a process that SIGTERM ended


class Terminated(SystemExit):
    """The process was asked to end; unless caught, it exits with status 143."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise :class:`Terminated` inside the block. For the main thread only.

    A second SIGTERM is ignored, so that contexts which close on the first are not cut short.
    """

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def die_with_parent() -> None:
    """Have SIGTERM sent to this process when its parent ends, however it ends (Linux only).

    Snakemake starts our processes directly; should it be killed, they end too, instead of working
    on next to the next run. Elsewhere the lock of each cell keeps the two apart.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) == 0 and os.getppid() == 1:
        raise Terminated  # the parent was gone before we asked
