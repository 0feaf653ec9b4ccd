"""A job's command: hand it over to the preloaded process, and end as it ends there."""

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from benchmark.commands.jobs.preloaded import wire

LOST = 1  # exit status where nobody can tell how the job ended
PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
    signal.SIGTSTP,
)


def hand_over() -> str:
    """Have the preloaded process run this command and end as it does; else return why not.

    Returns at once, with no reason, where no such process is on offer.
    """
    path = os.environ.get(wire.VARIABLE, wire.OFF)
    if path == wire.OFF:
        return ""
    if os.isatty(1) or os.isatty(2):
        return "it writes to a terminal"
    if "--end-with-parent" in sys.argv:
        from benchmark.common.termination import die_with_parent

        die_with_parent()
    return _handed_over(path)


def _handed_over(path: str) -> str:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
        wire.send(connection, _request(), wire.STREAMS)
        answer = wire.receive(connection)
    except (OSError, EOFError, ValueError) as error:
        connection.close()
        return f"no process answers at {wire.VARIABLE} ({error or 'it hung up'})"
    if "refused" not in answer:
        _wait(connection)
    connection.close()
    return str(answer["refused"])


def _request() -> dict[str, object]:
    return {
        "argv": sys.argv,
        "executable": sys.executable,
        "path": sys.path,
        "environment": dict(os.environ),
        "surroundings": wire.surroundings(),
    }


def _wait(connection: socket.socket) -> NoReturn:
    """Pass signals on until the job has ended, and end as it did."""
    forward = _forwarding(connection)
    for number in PASSED_ON:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, forward)
    try:
        connection.send(bytes([wire.GO]))
        ended = wire.receive(connection)
    except (OSError, EOFError):  # the job holds the connection too: it is gone as well
        os.write(2, b"error: the preloaded process that ran this job was ended\n")
        os._exit(LOST)
    if "signal" in ended:
        _die_of(ended["signal"])
    os._exit(ended["exit"])


def _forwarding(connection: socket.socket) -> Callable[[int, FrameType | None], None]:
    def forward(number: int, frame: FrameType | None) -> None:
        stopping = number == signal.SIGTSTP  # of no effect where the job is: it has no terminal
        with suppress(OSError):
            connection.send(bytes([signal.SIGSTOP if stopping else number]))
        if stopping:
            os.kill(os.getpid(), signal.SIGSTOP)

    return forward


def _die_of(number: int) -> NoReturn:
    """End by a signal, which has left its core file, if any, where the job was."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)
