"""What a command and the preloaded process tell each other. Imports next to nothing.

A message is its length (8 bytes, big-endian) and JSON; the request carries the command's standard
streams along (``SCM_RIGHTS``). It is refused or accepted; the command then sends :data:`GO`, and
from there on the numbers of the signals that it gets, a byte each. The last message is how the job
ended. Hanging up, on either side, says that one is gone.
"""

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

VARIABLE = "CROSSTALK_PRELOAD"  # the socket's path, or OFF
OFF = "off"
LENGTH = 8  # bytes
GO = 0  # no signal has this number
STREAMS = (0, 1, 2)
# Read when an interpreter starts, by it or by the C library: changing them later does nothing.
INITIAL = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LANG", "LC_")
SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def surroundings() -> dict[str, Any]:
    """Return what a process inherits or takes over when it starts, variables and files apart.

    Two processes in which this is equal differ in nothing that a fork would get wrong.
    """
    program = Path(sys.executable).resolve()
    mask = os.umask(0)
    os.umask(mask)
    initial = {name: os.environ[name] for name in sorted(os.environ) if name.startswith(INITIAL)}
    limits = sorted(n for n in dir(resource) if n.startswith("RLIMIT_"))
    return {
        "interpreter": [str(program), sys.prefix, sys.version, list(sys.flags)],
        "initial variables": initial,
        "folder": str(Path.cwd()),
        "user": [*os.getresuid(), *os.getresgid(), *sorted(os.getgroups())],
        "umask": mask,
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "cores": sorted(os.sched_getaffinity(0)),
        "limits": {name: list(resource.getrlimit(getattr(resource, name))) for name in limits},
        "ignored signals": [n for n in SIGNALS if signal.getsignal(n) == signal.SIG_IGN],
        "blocked signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    }


def send(connection: socket.socket, message: Any, descriptors: tuple[int, ...] = ()) -> None:
    """Send a message, with file descriptors if given."""
    data = json.dumps(message).encode()
    header = len(data).to_bytes(LENGTH, "big")
    if descriptors:
        socket.send_fds(connection, [header], descriptors)
        connection.sendall(data)
    else:
        connection.sendall(header + data)


def receive(connection: socket.socket) -> Any:
    """Return the next message.

    Raises:
        EOFError: The other side has hung up.
    """
    return json.loads(_read(connection, int.from_bytes(_read(connection, LENGTH), "big")))


def receive_with_streams(connection: socket.socket) -> tuple[Any, tuple[int, ...]]:
    """Return a request and its sender's standard streams, which are the caller's to close.

    Raises:
        EOFError: The other side has hung up, or sent no streams.
    """
    header, descriptors, _, _ = socket.recv_fds(connection, LENGTH, len(STREAMS))
    try:
        if len(header) < LENGTH or len(descriptors) < len(STREAMS):
            raise EOFError
        return json.loads(_read(connection, int.from_bytes(header, "big"))), tuple(descriptors)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
