"""Compare answers by math-verify in a separate process, which adversarial LaTeX cannot stall.

math-verify limits its time by an alarm signal, which works in a main thread only and cannot stop
one long operation (the integer 10^{10^{10}}). Here a child process does the work within a limit of
processor time and memory that the operating system enforces: past it the child dies, the answer
counts as not equivalent, and the next question starts a new child. Processor time, unlike time on
the clock, hardly depends on what else the machine is doing, and so neither do the rewards.
"""

import atexit
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from os import getpid
from pathlib import Path

from benchmark.common.errors import CrosstalkError

CPU_SECONDS = 2.0  # the slowest of 1,000 comparisons of MATH-500 answers took 0.2
MEMORY_BYTES = 2**30
MAX_CHARACTERS = 1000  # of an answer; the longest of MATH-500 has 53
MAX_CHILDREN = 8  # each holds some 100 MB
QUESTIONS_A_CHILD = 32  # a child takes a second to start, worth it for so many questions

Pair = tuple[str, str]  # a reference answer and one that was found
_CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
_WORKER = Path(__file__).with_name("verifier_worker.py")


class Verifier:
    """A child process that compares answers; started when first asked, safe in threads.

    ``cpu_seconds`` limits one comparison, ``memory_bytes`` the child's address space (on Linux).
    """

    def __init__(self, cpu_seconds: float = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        # -P keeps this folder off the child's import path, where its files could hide libraries.
        self._command = [sys.executable, "-P", str(_WORKER), str(cpu_seconds), str(memory_bytes)]
        self._child: subprocess.Popen[str] | None = None
        self._owner = 0  # the process that started the child: a fork must not share its pipes
        self._lock = threading.Lock()
        atexit.register(self.close)

    def equivalent(self, answer: str, found: str) -> bool:
        """Return whether ``found`` is equivalent to the reference ``answer``; order matters."""
        with self._lock:
            child = self._running()
            assert child.stdin is not None
            try:
                child.stdin.write(json.dumps([answer, found]) + "\n")
                child.stdin.flush()
                reply = self._read(child)
            except BrokenPipeError:  # killed from outside just now
                reply = ""
            if not reply:
                self._stop()
            return reply == "true"

    def close(self) -> None:
        """End the child process; a later question starts a new one."""
        with self._lock:
            self._stop()

    def _running(self) -> "subprocess.Popen[str]":
        if self._owner != getpid() or self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for the parent; the child ends with its input
            )
            self._owner = getpid()
            if self._read(self._child) != "ready":
                self._stop()
                raise CrosstalkError("the answer verifier (math-verify) does not start")
        return self._child

    @staticmethod
    def _read(child: "subprocess.Popen[str]") -> str:
        assert child.stdout is not None
        return child.stdout.readline().strip()

    def _stop(self) -> None:
        if self._child is not None and self._owner == getpid():
            self._child.kill()
            self._child.communicate()
        self._child = None


class Verifiers:
    """One child process per question asked at the same time."""

    def __init__(self) -> None:
        self._idle: list[Verifier] = []  # its append and pop are safe in threads

    def equivalent(self, answer: str, found: str) -> bool:
        """Return what an idle or new child finds."""
        try:
            verifier = self._idle.pop()
        except IndexError:
            verifier = Verifier()
        try:
            return verifier.equivalent(answer, found)
        finally:
            self._idle.append(verifier)


_VERIFIERS = Verifiers()


@lru_cache(maxsize=2**16)
def equivalent(answer: str, found: str) -> bool:
    """Return whether ``found`` is equivalent to ``answer``, within the limits above."""
    return len(found) <= MAX_CHARACTERS and _VERIFIERS.equivalent(answer, found)


def all_equivalent(pairs: Iterable[Pair]) -> dict[Pair, bool]:
    """Return :func:`equivalent` of each (answer, found), asked of the machine's cores at once."""
    different = list(dict.fromkeys(pairs))
    if not different:
        return {}
    children = min(_CORES, MAX_CHILDREN, math.ceil(len(different) / QUESTIONS_A_CHILD))
    pool = ThreadPoolExecutor(children)
    try:
        found = pool.map(lambda pair: equivalent(*pair), different)
        return dict(zip(different, found, strict=True))
    finally:  # Ctrl-C does not wait for thousands of questions
        pool.shutdown(cancel_futures=True)
