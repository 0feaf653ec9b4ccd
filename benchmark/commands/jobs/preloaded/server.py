"""The preloaded process: import once what jobs need, and fork a process for each.

It has one thread and never touches a GPU, since neither survives a fork. A job runs here only if
a process of its own would have had the same interpreter, variables, folder, limits and code;
otherwise its command is told why not. It ends with the workflow, whose processes hold the other end
of the pipe that it watches; its jobs get SIGTERM should it be killed.

Usage: ``python -m …server LISTENER LIFELINE ENTRY``: two descriptors, and the module whose
``preload()`` is called here and whose ``main()`` in each job.
"""

import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

from benchmark.commands.jobs.preloaded import wire
from benchmark.commands.jobs.preloaded.conditions import (
    Stats,
    code_stats,
    different,
    fork_hazards,
)
from benchmark.common.termination import PR_SET_PDEATHSIG

REQUEST_SECONDS = 10.0  # that a command may take to say what it wants
# Arrow's allocator has a thread of its own unless it is told not to; it is a matter of memory only.
WITHOUT_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


@dataclass
class _Job:
    connection: socket.socket
    pid: int
    handle: int  # a descriptor (pidfd) that is readable once the process has ended


class Server:
    """Forks processes for the commands that connect; see the module."""

    def __init__(self, listener: socket.socket, lifeline: int, entry: str) -> None:
        self._listener: socket.socket | None = listener
        self._lifeline = lifeline
        self._entry = entry
        self._surroundings = wire.surroundings()
        self._adopted: dict[str, Any] | None = None  # the request that fixed what to import under
        self._code: Stats = {}
        self._broken = ""
        self._jobs: dict[int, _Job] = {}
        self._selector = selectors.DefaultSelector()
        self._watch(listener, self._accept)
        self._watch(lifeline, self._close)

    def serve(self) -> bool:
        """Fork processes until the workflow is gone. Return True in each of them, False here."""
        while self._listener is not None or self._jobs:
            for key, _ in self._selector.select():
                if self._is_watched(key) and key.data():
                    return True
        return False

    def _is_watched(self, key: selectors.SelectorKey) -> bool:
        """Return whether what came before in the same round has left this one in place."""
        return self._selector.get_map().get(key.fd) is key

    def _watch(self, file: Any, ready: Callable[[], bool]) -> None:
        self._selector.register(file, selectors.EVENT_READ, ready)

    def _close(self) -> bool:
        """Take no more requests; what still runs is its commands' to end."""
        assert self._listener is not None
        for file in (self._listener, self._lifeline):
            self._selector.unregister(file)
        self._listener.close()
        self._listener = None
        return False

    def _accept(self) -> bool:
        assert self._listener is not None
        connection, _ = self._listener.accept()
        connection.settimeout(REQUEST_SECONDS)
        try:
            request, streams = wire.receive_with_streams(connection)
        except (OSError, EOFError, ValueError):
            connection.close()
            return False
        try:
            return self._start(connection, request, streams)
        finally:
            for descriptor in streams:
                os.close(descriptor)

    def _start(
        self, connection: socket.socket, request: dict[str, Any], streams: tuple[int, ...]
    ) -> bool:
        """Fork if the job may run here, and tell its command. Return True in the new process."""
        refusal = self._refusal(request, streams)
        signals = _agreed(connection, {"refused": refusal} if refusal else {"accepted": True})
        if refusal or signals is None:
            connection.close()
            return False
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # for want of memory: hanging up fails the command
            connection.close()
            return False
        if pid == 0:
            self._become(connection, request, streams, parent)
            return True
        job = self._jobs[pid] = _Job(connection, pid, os.pidfd_open(pid))
        self._watch(connection, partial(self._pass_on, job))
        self._watch(job.handle, partial(self._reap, job))
        for number in signals:
            signal.pidfd_send_signal(job.handle, number)
        return False

    def _pass_on(self, job: _Job) -> bool:
        """Send the job the signals that its command got; SIGKILL if the command is gone."""
        try:
            numbers = job.connection.recv(64)
        except OSError:
            numbers = b""
        if not numbers:
            self._selector.unregister(job.connection)
        for number in numbers or (signal.SIGKILL,):
            signal.pidfd_send_signal(job.handle, number)
        return False

    def _reap(self, job: _Job) -> bool:
        """Tell the command how its job has ended."""
        code = os.waitstatus_to_exitcode(os.waitpid(job.pid, 0)[1])
        with suppress(KeyError):
            self._selector.unregister(job.connection)
        self._selector.unregister(job.handle)
        with suppress(OSError):
            wire.send(job.connection, {"exit": code} if code >= 0 else {"signal": -code})
        job.connection.close()
        os.close(job.handle)
        del self._jobs[job.pid]
        return False

    # --- may the job run here? ----------------------------------------------------------------

    def _refusal(self, request: dict[str, Any], streams: tuple[int, ...]) -> str:
        """Return why the job has to start plainly; nothing if it need not."""
        differing = different(self._surroundings, request["surroundings"])
        if differing:
            return f"other than of the preloaded process: {differing}"
        if self._adopted is None and not self._broken:
            self._preload(request, streams)
        if self._broken:
            return self._broken
        assert self._adopted is not None
        for what in ("environment", "path"):
            differing = different(self._adopted[what], request[what])
            if differing:
                return f"other than of the first job: {what} ({differing})"
        if code_stats() != self._code:
            return "the code has changed since it was loaded"
        return fork_hazards()

    def _preload(self, request: dict[str, Any], streams: tuple[int, ...]) -> None:
        """Import what jobs need as the first of them would have, with what that prints in its log.

        What goes wrong is kept as the reason for which jobs start plainly.
        """
        before = code_stats()
        _take_over(request, streams)
        os.environ.update(WITHOUT_THREADS)
        try:
            import_module(self._entry).preload()
        except Exception as error:
            self._broken = f"preloading failed: {type(error).__name__}: {error}"
        with Path(os.devnull).open("r+b", buffering=0) as nowhere:
            _connect_streams([nowhere.fileno()] * len(wire.STREAMS))
        self._code = code_stats()
        changed = {name for name in before if before[name] != self._code.get(name)}
        if changed and not self._broken:
            self._broken = "the code was changed while it was being loaded"
        gc.collect()
        gc.freeze()  # what is shared stays so: the collector would write to every page
        self._adopted = request

    # --- in the job's process -------------------------------------------------------------------

    def _become(
        self,
        connection: socket.socket,
        request: dict[str, Any],
        streams: tuple[int, ...],
        parent: int,
    ) -> None:
        """Turn a fork into the process that the command would have been, but for ``connection``.

        It holds that for as long as it lives, so that nobody takes it for dead before it is.
        """
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()  # the terminal's signals reach the command, which passes them on
        self._selector.close()
        if self._listener is not None:
            self._listener.close()
            os.close(self._lifeline)
        for job in self._jobs.values():
            job.connection.close()
            os.close(job.handle)
        self._jobs.clear()
        connection.setblocking(True)
        connection.detach()  # a descriptor that nothing closes, not even the interpreter's end
        _take_over(request, streams)
        sys.argv[:], sys.executable = request["argv"], request["executable"]
        invalidate_caches()
        if "numpy.random" in sys.modules:  # as it starts; Python's own generator sees to itself
            sys.modules["numpy.random"].seed()


def _agreed(connection: socket.socket, answer: Mapping[str, Any]) -> bytes | None:
    """Answer a command and wait until it is ready; return the signals it got since.

    None if the command is gone.
    """
    received = b""
    with suppress(OSError):
        wire.send(connection, answer)
        while wire.GO not in received:
            part = connection.recv(64)
            if not part:
                return None
            received += part
        return received.replace(bytes([wire.GO]), b"")
    return None


def _take_over(request: Mapping[str, Any], streams: Iterable[int]) -> None:
    """Take over a command's variables, import path and standard streams."""
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["path"]
    _connect_streams(streams)


def _connect_streams(streams: Iterable[int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for stream, descriptor in zip(wire.STREAMS, streams, strict=True):
        os.dup2(descriptor, stream)


def main() -> None:
    """Serve, and in each process that is forked run the entry's command line."""
    listener, lifeline, entry = sys.argv[1:]
    server = Server(socket.socket(fileno=int(listener)), int(lifeline), entry)
    if server.serve():
        import_module(entry).main()


if __name__ == "__main__":
    main()
