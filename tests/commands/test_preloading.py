"""Jobs forked from a preloaded process behave as jobs of their own; a light module stands in."""

import json
import os
import pty
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from projects import Project

from benchmark.commands.jobs.preloaded import wire
from benchmark.commands.jobs.preloaded.starting import Offer, obstacle, preloading
from benchmark.commands.train import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone"),
]
ROOT = Path(__file__).parents[2]
LAST = "checkpoints/checkpoint-3/model.safetensors"
JOBS = """
import atexit, json, logging, multiprocessing, os, random, signal, sys, threading, time, warnings
from pathlib import Path

loaded = os.getpid()

def preload():
    if os.environ.get("PRELOAD") == "thread":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    if os.environ.get("PRELOAD") == "fail":
        raise ImportError("no such library")
    print("preloading speaks", file=sys.stderr, flush=True)

def state():
    signals = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    return {
        "argv": sys.argv, "program": sys.executable, "path": sys.path, "folder": os.getcwd(),
        "variables": dict(os.environ),
        "handlers": [str(signal.getsignal(number)) for number in signals],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "loggers": [str(handler) for handler in logging.getLogger().handlers],
        "filters": [str(each) for each in warnings.filters],
        "starting": multiprocessing.get_start_method(allow_none=True),
        "hash": hash("crosstalk"), "threads": threading.active_count(),
        "streams": [[os.readlink(f"/proc/self/fd/{n}"), os.get_inheritable(n)] for n in range(3)],
        "buffering": [sys.stdout.line_buffering, sys.stderr.line_buffering],
        "inherited": [n for n in range(256) if inheritable(n)],
        "umask": Path("/proc/self/status").read_text().split("Umask:")[1].split()[0],
    }

def inheritable(number):
    try:
        return os.get_inheritable(number)
    except OSError:
        return False

def wait():
    try:
        print("ready", os.getpid(), flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(9)

def asked(number, frame):
    print("asked to end", flush=True)
    sys.exit(143)

def main():
    what = sys.argv[1]
    if what == "exit":
        atexit.register(print, "closing down")
        sys.stdout.write("written, not flushed ")
        sys.exit(int(sys.argv[2]))
    elif what == "fail":
        raise RuntimeError("on purpose")
    elif what == "die":
        os.kill(os.getpid(), int(sys.argv[2]))
    elif what == "state":
        print(json.dumps(state()))
    elif what == "random":
        print(random.random(), os.getpid() != loaded)
    elif what == "read":
        print(sys.stdin.read().upper())
    elif what == "wait":
        wait()
    elif what == "close":
        signal.signal(signal.SIGTERM, asked)
        wait()
"""
COMMAND = """
import sys
from benchmark.commands.jobs.preloaded.client import hand_over

note = hand_over()
if note:
    print("not forked:", note, file=sys.stderr, flush=True)
import jobs

jobs.main()
"""


@dataclass
class Workshop:
    """A folder with the stand-in, where a process preloads it once :meth:`open` was called."""

    folder: Path
    stack: ExitStack
    environment: dict[str, str] = field(default_factory=dict)
    offer: Offer | None = None

    def open(self, **variables: str) -> None:
        paths = os.pathsep.join([str(self.folder), str(ROOT), *sys.path])
        self.environment = os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": "7"} | variables
        self.offer = self.stack.enter_context(preloading(self.folder, self.environment, "jobs"))

    def start(
        self,
        *words: str,
        plain: bool = False,
        output: int = subprocess.PIPE,
        **variables: str,
    ) -> "subprocess.Popen[str]":
        assert self.offer is not None
        offered = {wire.VARIABLE: wire.OFF} if plain else self.offer.environment
        return subprocess.Popen(
            [sys.executable, "command.py", *words],
            cwd=self.folder,
            env={**self.environment, **offered, **variables},
            stdin=subprocess.PIPE if output == subprocess.PIPE else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )

    def run(self, *words: str, **changes: Any) -> tuple[int, str, str]:
        """Return a job's exit status and what it wrote."""
        process = self.start(*words, **changes)
        output, errors = process.communicate(timeout=30)
        return process.returncode, output, errors

    def server(self) -> psutil.Process:
        (found,) = filter(is_server, psutil.Process().children())
        return found

    def waiting(self, word: str = "wait") -> "tuple[subprocess.Popen[str], psutil.Process]":
        """Start a job that waits; return its command and the forked process."""
        process = self.start(word)
        assert process.stdout is not None
        ready, pid = process.stdout.readline().split()
        assert ready == "ready"
        assert int(pid) != process.pid
        return process, psutil.Process(int(pid))


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Have children take signals that a suite in the background, or under nohup, ignores."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.getsignal(number) for number in usual}
    for number, handler in before.items():
        if handler == signal.SIG_IGN:
            signal.signal(number, usual[number])
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "command.py").write_text(COMMAND)
    with ExitStack() as stack:
        shop = Workshop(tmp_path, stack)
        shop.open()
        yield shop


def is_server(process: psutil.Process) -> bool:
    try:
        return any("preloaded.server" in word for word in process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie, of another test
        return False


def is_gone(process: psutil.Process) -> bool:
    return not psutil.wait_procs([process], timeout=20)[1]


# --- as a process of its own -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("exit", "0"), ("exit", "3"), ("fail",), ("die", "9"), ("die", "15"), ("die", "11")],
    ids=" ".join,
)
def test_a_forked_job_ends_as_a_plain_one(workshop: Workshop, words: tuple[str, ...]) -> None:
    forked, plain = workshop.run(*words), workshop.run(*words, plain=True)
    assert forked[:2] == plain[:2]
    assert forked[2].splitlines()[-1:] in ([], ["preloading speaks"], plain[2].splitlines()[-1:])
    if words == ("exit", "3"):
        assert forked[:2] == (3, "written, not flushed closing down\n")


def test_a_forked_job_finds_what_a_plain_one_finds(workshop: Workshop) -> None:
    workshop.run("exit", "0")
    forked, plain = (found(workshop, plain=plain) for plain in (False, True))
    assert forked["variables"].pop(wire.VARIABLE) != plain["variables"].pop(wire.VARIABLE)
    assert forked == plain
    assert forked["variables"]["PWD"] == "/here"


def found(workshop: Workshop, *, plain: bool) -> dict[str, Any]:
    """Return what a job that writes into a log, as the workflow's do, finds around it."""
    file = workshop.folder / "log"
    with file.open("w") as log:
        words = ("state", "--x", "\udcff")
        process = workshop.start(*words, plain=plain, output=log.fileno(), PWD="/here")
        process.communicate(timeout=30)
    assert process.returncode == 0, file.read_text()
    return json.loads(file.read_text())


def test_another_name_of_the_interpreter_is_the_same(workshop: Workshop) -> None:
    assert workshop.offer is not None
    names = [Path(sys.executable).with_name(name) for name in ("python", "python3")]
    for name in filter(Path.exists, names):
        done = subprocess.run(
            [name, "command.py", "random"],
            cwd=workshop.folder,
            env={**workshop.environment, **workshop.offer.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.endswith("True\n"), done.stderr


def test_jobs_are_forked_and_draw_their_own_random_numbers(workshop: Workshop) -> None:
    drawn = [workshop.run("random")[1].split() for _ in range(3)]
    assert {each[1] for each in drawn} == {"True"}
    assert len({each[0] for each in drawn}) == 3


def test_a_job_reads_its_commands_input(workshop: Workshop) -> None:
    process = workshop.start("read")
    assert process.communicate("some words", timeout=30)[0] == "SOME WORDS\n"


def test_what_preloading_says_is_in_the_first_jobs_log(workshop: Workshop) -> None:
    said = [workshop.run("exit", "0")[2] for _ in range(2)]
    assert said == ["preloading speaks\n", ""]


def test_jobs_run_side_by_side(workshop: Workshop) -> None:
    first, second = workshop.waiting(), workshop.waiting()
    assert workshop.run("exit", "3")[0] == 3
    for command, _ in (second, first):
        command.terminate()
        assert command.wait(timeout=20) == -signal.SIGTERM


# --- signals and sudden ends -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "number", "status", "says"),
    [
        ("wait", signal.SIGINT, 9, "interrupted\n"),
        ("close", signal.SIGTERM, 143, "asked to end\n"),
        ("wait", signal.SIGTERM, -15, ""),
        ("wait", signal.SIGHUP, -1, ""),
    ],
)
def test_signals_reach_the_job(
    workshop: Workshop, word: str, number: signal.Signals, status: int, says: str
) -> None:
    command, job = workshop.waiting(word)
    command.send_signal(number)
    assert command.communicate(timeout=20)[0] == says
    assert command.returncode == status
    assert is_gone(job)


def test_a_stopped_command_stops_its_job(workshop: Workshop) -> None:
    command, job = workshop.waiting()
    command.send_signal(signal.SIGTSTP)
    await_status(job, psutil.STATUS_STOPPED)
    await_status(psutil.Process(command.pid), psutil.STATUS_STOPPED)
    command.send_signal(signal.SIGCONT)
    await_status(job, psutil.STATUS_SLEEPING)
    command.terminate()
    assert command.wait(timeout=20) == -signal.SIGTERM


def await_status(process: psutil.Process, status: str) -> None:
    end = time.monotonic() + 20
    while process.status() != status:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_job_ends_its_command_alike(workshop: Workshop) -> None:
    command, job = workshop.waiting()
    job.kill()
    assert command.wait(timeout=20) == -signal.SIGKILL
    assert workshop.run("exit", "3")[0] == 3


def test_a_killed_command_takes_its_job_along(workshop: Workshop) -> None:
    command, job = workshop.waiting("close")
    command.kill()
    assert is_gone(job)
    assert workshop.run("random")[1].endswith("True\n")


def test_a_killed_preloaded_process_fails_its_jobs_and_later_ones_start_plainly(
    workshop: Workshop,
) -> None:
    command, job = workshop.waiting("close")
    workshop.server().kill()
    output, errors = command.communicate(timeout=20)
    assert command.returncode == 1
    assert is_gone(job)
    assert output == "asked to end\n"
    assert errors.endswith("error: the preloaded process that ran this job was ended\n")
    status, _, errors = workshop.run("exit", "3")
    assert status == 3
    assert errors.startswith("not forked: no process answers")


def test_the_preloaded_process_ends_with_the_workflow(workshop: Workshop) -> None:
    workshop.run("exit", "0")
    server = workshop.server()
    assert workshop.offer is not None
    private = Path(workshop.offer.environment[wire.VARIABLE]).parent
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    workshop.stack.close()
    assert is_gone(server)
    assert not private.exists()


# --- plain starts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"OMP_NUM_THREADS": "3"}, "other than of the first job: environment (OMP_NUM_THREADS)"),
        ({"PYTHONHASHSEED": "8"}, "other than of the preloaded process: initial variables"),
        ({"MALLOC_ARENA_MAX": "1"}, "other than of the preloaded process: initial variables"),
    ],
)
def test_a_job_with_other_variables_starts_plainly(
    workshop: Workshop, variables: dict[str, str], reason: str
) -> None:
    workshop.run("exit", "0")
    status, output, errors = workshop.run("random", **variables)
    assert (status, output.split()[1]) == (0, "False")
    assert errors == f"not forked: {reason}\n"


def test_a_job_in_another_folder_starts_plainly(workshop: Workshop) -> None:
    text = (workshop.folder / "command.py").read_text()
    (workshop.folder / "command.py").write_text(f"import os\nos.chdir('/')\n{text}")
    assert workshop.run("exit", "3")[::2] == (
        3,
        "not forked: other than of the preloaded process: folder\n",
    )


def test_a_job_whose_code_has_changed_starts_plainly(workshop: Workshop) -> None:
    workshop.run("exit", "0")
    (workshop.folder / "jobs.py").write_text(JOBS.replace("not flushed", "anew"))
    assert workshop.run("exit", "3") == (
        3,
        "written, anew closing down\n",
        "not forked: the code has changed since it was loaded\n",
    )


@pytest.mark.parametrize(
    ("preload", "reason"),
    [("thread", "several threads"), ("fail", "preloading failed: ImportError: no such library")],
)
def test_where_preloading_goes_wrong_jobs_start_plainly(
    workshop: Workshop, preload: str, reason: str
) -> None:
    for _ in range(2):
        status, _, errors = workshop.run("exit", "3", PRELOAD=preload)
        assert status == 3
        assert reason in errors


def test_a_command_on_a_terminal_starts_plainly(workshop: Workshop) -> None:
    ours, theirs = pty.openpty()
    assert workshop.offer is not None
    process = subprocess.Popen(
        [sys.executable, "command.py", "random"],
        cwd=workshop.folder,
        env={**workshop.environment, **workshop.offer.environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    with os.fdopen(ours) as terminal:
        assert terminal.readline().strip() == "not forked: it writes to a terminal"
        assert terminal.readline().split()[1] == "False"
    assert process.wait(timeout=20) == 0


def test_a_caller_that_talks_nonsense_is_hung_up_on(workshop: Workshop) -> None:
    assert workshop.offer is not None
    with closing(socket.socket(socket.AF_UNIX)) as caller:
        caller.connect(workshop.offer.environment[wire.VARIABLE])
        caller.sendall(b"nonsense" * 4)
        caller.settimeout(20)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""
    assert workshop.run("exit", "3")[0] == 3


def test_what_keeps_jobs_from_being_forked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GPUs" in obstacle(["0"])
    monkeypatch.setenv(wire.VARIABLE, wire.OFF)
    assert obstacle() == "CROSSTALK_PRELOAD is off"


# --- the real one ------------------------------------------------------------------------------


def test_a_forked_training_leaves_the_bits_of_a_plain_one(tracked_project: Project) -> None:
    cell = tracked_project.cell("ctwa")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with preloading(tracked_project.root, environment) as offer:
        done = subprocess.run(
            [sys.executable, "-m", "benchmark", "train", cell.study.given_path, cell.id],
            cwd=tracked_project.root,
            env={**environment, **offer.environment},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "not forked" not in done.stderr
    forked = (cell.folder / LAST).read_bytes()
    shutil.rmtree(cell.folder)
    train(cell)
    assert (cell.folder / LAST).read_bytes() == forked
