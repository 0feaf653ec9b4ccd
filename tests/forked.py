"""``crosstalk``, where many runs are tested: forked, with what it starts, from one process.

A run of the workflow is three processes before its first job: the command, Snakemake, and the one
that jobs are forked from. A training by several processes has as many and its launcher. Each
imports, for seconds, what the process has imported once that :func:`ready` starts and all are
forked from. It is the package's own preloaded process with this module in place of the command
line. Other processes, such as the workflow's jobs, start as they do anywhere.
"""

import atexit
import inspect
import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from benchmark.commands.jobs.gpus import machine_gpus
from benchmark.commands.jobs.preloaded import wire
from benchmark.commands.jobs.preloaded.starting import SERVER, obstacle, preloading
from benchmark.commands.run import KEEP_MEMORY

FORKED = ("benchmark", "benchmark.commands.jobs.run_snakemake", SERVER)
PATIENCE = 1  # seconds to end, not torch's 30, for a process that waits for one that failed
HAND_OVER = """
import sys
from benchmark.commands.jobs.preloaded.client import hand_over

sys.exit(hand_over() or "there is no process to be forked from")
"""


@dataclass(frozen=True)
class Crosstalk:
    """Starts ``crosstalk`` in a project: forked, or plainly where that cannot be."""

    folder: Path
    environment: Mapping[str, str]
    forks: bool

    def start(self, root: Path, *words: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command, or a script, there, under further variables of the environment."""
        place = json.dumps([str(root), variables])
        plainly = [] if words[0].endswith(".py") else ["-m", "benchmark"]
        how = ["-c", HAND_OVER, place] if self.forks else plainly
        return subprocess.Popen(
            [sys.executable, *how, *words],
            cwd=self.folder if self.forks else root,
            env={**self.environment, **({} if self.forks else variables)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, root: Path, *words: str, **variables: str) -> tuple[int, str]:
        """Return the status and the output."""
        process = self.start(root, *words, **variables)
        try:
            output = process.communicate(timeout=600)[0]
        finally:
            process.terminate()
        return process.returncode, output


@contextmanager
def ready(folder: Path) -> Iterator[Crosstalk]:
    """Have a process ready to be forked, which imports nothing before it is first needed."""
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]
    changes = KEEP_MEMORY | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | changes
    if obstacle(machine_gpus()):
        yield Crosstalk(folder, environment, forks=False)
        return
    with preloading(folder, environment, __name__) as offer:
        yield Crosstalk(folder, environment | dict(offer.environment), forks=True)


# --- in the process, and in what is forked from it ------------------------------------------------


def preload() -> None:
    """Import what the package's own process does."""
    from benchmark.commands import cli

    cli.preload()


def main() -> None:
    """Be ``crosstalk``, or a script, with the arguments after the folder and the variables."""
    from benchmark.commands import cli

    folder, variables = json.loads(sys.argv[1])
    del os.environ[wire.VARIABLE]
    os.environ.update(variables)
    os.chdir(folder)
    if sys.argv[2].endswith(".py"):
        sys.argv[:] = sys.argv[2:]
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    sys.argv[:] = ["crosstalk", *sys.argv[2:]]
    subprocess.Popen._execute_child = _fork  # type: ignore[attr-defined]
    if sys.argv[1] == "train":
        from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent

        LocalElasticAgent._shutdown.__defaults__ = (signal.SIGTERM, PATIENCE)
    cli.main()


_execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]


def _fork(started: Any, args: Any, *rest: Any) -> None:
    """Fork the modules of :data:`FORKED`; start others as :class:`subprocess.Popen` does."""
    words = [each for each in args if each != "-u"] if isinstance(args, list | tuple) else []
    if words[:2] != [sys.executable, "-m"] or words[2] not in FORKED:
        _execute(started, args, *rest)
        return
    given = inspect.signature(_execute).bind(started, args, *rest).arguments
    sys.stdout.flush()
    sys.stderr.flush()
    started.pid = os.fork()
    if started.pid == 0:
        _become(words[2], words[3:], given)
    started._child_created = True
    pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
    started._close_pipe_fds(*(given[name] for name in pipes))


def _become(module: str, words: Sequence[str], given: Mapping[str, Any]) -> NoReturn:
    """Be the module's process, with what :class:`subprocess.Popen` was given, to its end."""
    status = 1
    try:
        for number, name in enumerate(("p2cread", "c2pwrite", "errwrite")):
            if given[name] != -1:
                os.dup2(given[name], number)
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if descriptor in (0, 1, 2):
                continue
            with suppress(OSError):
                if descriptor in given["pass_fds"]:
                    os.set_inheritable(descriptor, True)
                else:
                    os.close(descriptor)
        if given["start_new_session"]:
            os.setsid()
        if given["cwd"] is not None:
            os.chdir(given["cwd"])
        if given["env"] is not None:
            os.environ.clear()
            os.environ.update(given["env"])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        logger = logging.getLogger("benchmark")  # as nobody has told it anything
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
        sys.argv[:] = [module, *words]
        status = _status(module)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _status(module: str) -> int:
    """Run a module to its end, and return the status of exit that its process would have."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
