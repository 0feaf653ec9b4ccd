"""Show how far a run is: lines that change on a terminal, a line per change on a pipe."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from benchmark.commands.jobs.retries import study_name
from benchmark.commands.status import Status, Watch, duration

logger = logging.getLogger(__name__)

SECONDS = 1.0  # between two looks


def live() -> bool:
    """Return whether a person looks on: progress is wanted and stderr is a terminal."""
    return logger.isEnabledFor(logging.INFO) and sys.stderr.isatty()


def wait(process: "subprocess.Popen[str]", watch: Watch) -> int:
    """Show how far the run of a process is until it ends; return its exit status.

    On a terminal its stderr has to be a pipe, whose lines are printed above the one that changes.
    """
    show_lines = changing if process.stderr is not None else plain
    with show_lines(process.stderr) as show:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=SECONDS)
            show(watch.status())


def begin(watch: Watch) -> None:
    """Say what is done, left and failed before a run."""
    now = watch.status()
    counts = f"{now.done} of {now.cells} cells done, {now.cells - now.done} left"
    before = f", {now.failed} of them failed before" if now.failed else ""
    logger.info("%s: %s%s", now.study, counts, before)


def end(watch: Watch, seconds: float) -> None:
    """Say how a run ended: what is done, and each job that failed with how to try it again."""
    now = watch.status()
    if watch.journal.pid != os.getpid():
        return  # no job ran
    counts = f"{now.done} of {now.cells} cells done, {now.failed} failed"
    logger.info("%s: %s, in %s", now.study, counts, duration(seconds))
    for line in now.failure_lines():
        logger.warning("%s", line)
    if now.failures:
        logger.warning("again, all that is left: `crosstalk run %s`", study_name(watch.study))


Show = Callable[[Status], None]


@contextmanager
def plain(_: IO[str] | None) -> Iterator[Show]:
    """Log a line whenever a cell is done or has failed."""
    last: tuple[int, int] | None = None

    def show(status: Status) -> None:
        nonlocal last
        if last is not None and last != (status.done, status.failed):
            logger.info("%s: %s", status.study, status.line)
        last = status.done, status.failed

    yield show


@contextmanager
def changing(above: IO[str] | None) -> Iterator[Show]:
    """Keep how far it is at the bottom of the terminal, and print ``above`` over that.

    It is one line, and one for each cell at work, of which a screen's half is shown.
    """
    from rich.console import Console, Group
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(file=sys.stderr, highlight=False)
    spinner = Spinner("dots")

    def forward() -> None:
        for line in above or ():
            console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)

    with Live(spinner, console=console, transient=True, redirect_stdout=False) as display:

        def show(status: Status) -> None:
            spinner.update(text=Text(f"{status.study}: {status.line}"))
            lines = at_work(status, console.height // 2)
            told = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
            display.update(Group(spinner, *told))

        reader = threading.Thread(target=forward, daemon=True)
        reader.start()
        yield show
        reader.join(timeout=SECONDS)


def at_work(status: Status, most: int) -> list[str]:
    """Return a line for each cell at work, ``most`` at most, and how many more there are."""
    lines = [f"  {each.line}" for each in status.at_work[:most]]
    more = len(status.at_work) - len(lines)
    return [*lines, *([f"  … and {more} more"] if more else [])]
