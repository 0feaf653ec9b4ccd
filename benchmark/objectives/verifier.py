"""Compare answers by math-verify in a separate process, which adversarial LaTeX cannot stall.

math-verify limits its time by an alarm signal, which works in a main thread only and cannot stop
one long operation (the integer 10^{10^{10}}). Here a child process does the work within a limit of
processor time and memory that the operating system enforces: past it the child dies, the answer
counts as not equivalent, and the next question starts a new child. Processor time, unlike time on
the clock, hardly depends on what else the machine is doing, and so neither do the rewards.

A batch of questions has a budget of processor time, too, so that no policy can make its scoring
long. The questions are put into an order that their texts fix, short ones first; a question whose
predecessors have spent the budget counts as not equivalent. So the verdicts depend neither on the
order of the batch nor on the number of children, and only those of the longest questions of a batch
that exhausts its budget depend on how fast the machine is; that is logged.
"""

import atexit
import json
import logging
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import accumulate
from os import getpid
from pathlib import Path
from typing import NamedTuple

from benchmark.common.errors import CrosstalkError

CPU_SECONDS = 1.0  # the slowest of 1,000 comparisons of MATH-500 answers took 0.2
MEMORY_BYTES = 2**30
START_SECONDS = 1.0  # processor time of starting a child, which one that died costs too
BATCH_SECONDS = 1.5  # of processor time that a batch may take in any case,
QUESTION_SECONDS = 0.001  # and for each different question
MAX_CHARACTERS = 1000  # of an expression
MAX_CHILDREN = 8  # each holds some 100 MB
QUESTIONS_A_CHILD = 32  # a child takes a second to start, worth it for so many questions

Pair = tuple[str, str]  # a reference answer and one that was found
_CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
logger = logging.getLogger(__name__)
_WORKER = Path(__file__).with_name("verifier_worker.py")


class Outcome(NamedTuple):
    """What a child found, and the processor time that it took."""

    equivalent: bool
    seconds: float


class Verifier:
    """A child process that compares answers; started when first asked, safe in threads.

    ``cpu_seconds`` limits one comparison, ``memory_bytes`` the child's address space (on Linux).
    """

    def __init__(self, cpu_seconds: float = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        # -P keeps this folder off the child's import path, where its files could hide libraries.
        self._cpu_seconds = cpu_seconds
        self._command = [sys.executable, "-P", str(_WORKER), str(cpu_seconds), str(memory_bytes)]
        self._child: subprocess.Popen[str] | None = None
        self._owner = 0  # the process that started the child: a fork must not share its pipes
        self._lock = threading.Lock()
        atexit.register(self.close)

    def equivalent(self, answer: str, found: str) -> bool:
        """Return whether ``found`` is equivalent to the reference ``answer``; order matters."""
        return self.outcome(answer, found).equivalent

    def outcome(self, answer: str, found: str) -> Outcome:
        """Return :meth:`equivalent` and the processor time that the answer took."""
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
                return Outcome(False, self._cpu_seconds + START_SECONDS)
            return Outcome(*json.loads(reply))

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
                env={**os.environ, "PYTHONHASHSEED": "0"},  # SymPy works in the order of its sets
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

    def outcome(self, answer: str, found: str) -> Outcome:
        """Return what an idle or new child finds."""
        try:
            verifier = self._idle.pop()
        except IndexError:
            verifier = Verifier()
        try:
            return verifier.outcome(answer, found)
        finally:
            self._idle.append(verifier)


_VERIFIERS = Verifiers()


@lru_cache(maxsize=2**16)
def outcome(answer: str, found: str) -> Outcome:
    """Return whether ``found`` is equivalent to ``answer``, and the time that it took once."""
    if len(answer) + len(found) > 2 * MAX_CHARACTERS:
        return Outcome(False, 0.0)
    return _VERIFIERS.outcome(answer, found)


def all_equivalent(pairs: Iterable[Pair]) -> dict[Pair, bool]:
    """Return whether each (answer, found) is equivalent, asked of the machine's cores at once.

    Short pairs come first; those whose predecessors took more than the batch's budget are not.
    """
    different = sorted(set(pairs), key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    if not different:
        return {}
    budget = BATCH_SECONDS + QUESTION_SECONDS * len(different)
    outcomes = _asked(different, budget)
    spent = list(accumulate((each.seconds for each in outcomes), initial=0.0))
    late = sum(before > budget for before in spent[:-1])
    if late:
        logger.warning(
            "%d of %d answers not judged: the verifier's %.0f s of processor time were spent",
            late, len(different), budget,
        )  # fmt: skip
    judged = zip(different, outcomes, spent, strict=False)
    return {pair: each.equivalent and before <= budget for pair, each, before in judged}


def _asked(questions: list[Pair], budget: float) -> list[Outcome]:
    """Return the outcome of each question; of those that come too late, none that counts."""
    seconds = [0.0] * len(questions)

    def ask(place: int) -> Outcome:
        if sum(seconds[:place]) > budget:  # it can only grow, so that this one is too late
            return Outcome(False, 0.0)
        found = outcome(*questions[place])
        seconds[place] = found.seconds
        return found

    children = min(_CORES, MAX_CHILDREN, math.ceil(len(questions) / QUESTIONS_A_CHILD))
    pool = ThreadPoolExecutor(children)
    try:
        return list(pool.map(ask, range(len(questions))))
    finally:  # Ctrl-C does not wait for thousands of questions
        pool.shutdown(cancel_futures=True)
