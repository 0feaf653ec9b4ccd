import os
import select
import signal
import subprocess
import sys
import time

import pytest

from benchmark.common.termination import EXIT_CODE, Terminated, terminable

CLOSING = """
import time
from contextlib import contextmanager
from benchmark.common.termination import terminable

@contextmanager
def run():
    try:
        yield
    finally:
        print("closing", flush=True)
        time.sleep(0.3)
        print("closed", flush=True)

with terminable(), run():
    print("ready", flush=True)
    time.sleep(60)
"""
CHILD = """
import time
from benchmark.common.termination import die_with_parent, terminable

with terminable():
    {ask}
    try:
        print("ready", flush=True)
        time.sleep({seconds})
        print("lived on", flush=True)
    except SystemExit:
        print("ended", flush=True)
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""
ORPHAN = """
import os
from benchmark.common.termination import die_with_parent
os.getppid = lambda: 1
die_with_parent()
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def next_line(process: subprocess.Popen[str]) -> str:
    """Return the process's next line, or nothing after 20 seconds."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 20)
    return process.stdout.readline().strip() if ready else ""


@pytest.mark.parametrize("signals", [1, 2])
def test_sigterm_closes_and_exits_with_143(signals: int) -> None:
    process = start(CLOSING)
    assert next_line(process) == "ready"
    process.terminate()
    assert next_line(process) == "closing"
    for _ in range(signals - 1):  # a second one does not cut the closing short
        process.terminate()
    assert next_line(process) == "closed"
    assert process.wait(timeout=20) == 143


def test_sigterm_raises_inside_the_block_only() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated) as caught, terminable():
        assert signal.getsignal(signal.SIGTERM) is not before
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert caught.value.code == EXIT_CODE == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_blocks_may_be_nested() -> None:
    with terminable():
        outer = signal.getsignal(signal.SIGTERM)
        with pytest.raises(Terminated), terminable():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        assert signal.getsignal(signal.SIGTERM) is outer


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")
@pytest.mark.parametrize(
    ("ask", "seconds", "last"), [("die_with_parent()", 20, "ended"), ("pass", 0.5, "lived on")]
)
def test_child_ends_with_its_killed_parent(ask: str, seconds: float, last: str) -> None:
    parent = start(PARENT, CHILD.format(ask=ask, seconds=seconds))
    assert next_line(parent) == "ready"
    parent.kill()
    parent.wait(timeout=20)
    assert next_line(parent) == last


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")
def test_child_without_parent_ends_at_once() -> None:
    process = start(ORPHAN)
    process.communicate(timeout=20)
    assert process.returncode == 143
