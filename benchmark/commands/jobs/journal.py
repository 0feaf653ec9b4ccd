"""The journal of a run: which jobs of Snakemake began, ended and failed, as lines of JSON.

``crosstalk run`` names the file in the environment, the Snakefile has :func:`attach` add a
:class:`Writer` to Snakemake's logger, and ``crosstalk status`` reads it, from any other process.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "CROSSTALK_JOURNAL"  # of the environment: the file
STAGES = ("train", "evaluate", "diagnose")  # the rules whose jobs are of one cell
RUN, BEGUN, ENDED, FAILED = "run", "begun", "ended", "failed"


class Writer(logging.Handler):
    """Appends a line for each job that begins, ends or fails.

    The journal of the run before stays until the first job begins.
    """

    def __init__(self, file: Path, leader: int) -> None:
        """``leader`` is the process that leads the run."""
        super().__init__()
        self.file, self.leader = file, leader
        self._begun = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append the line of a record of Snakemake, if it is of a job."""
        told = vars(record)
        event = str(told.get("event", ""))
        try:
            if event == "job_info":
                self._begin()
                named = {"rule": told["rule_name"], "wildcards": dict(told["wildcards"])}
                write(self.file, BEGUN, job=told["jobid"], log=_first(told["log"]), **named)
            elif event == "job_finished":
                write(self.file, ENDED, job=told["job_id"])
            elif event == "job_error":
                write(self.file, FAILED, job=told["jobid"])
        except OSError:
            self.handleError(record)  # a run goes on without its journal

    def _begin(self) -> None:
        if not self._begun:
            begin(self.file, self.leader)
            self._begun = True


def attach(logger: logging.Logger) -> None:
    """Have a logger write the journal that the environment names, if it names one."""
    if VARIABLE in os.environ:
        logger.addHandler(Writer(Path(os.environ[VARIABLE]), leader=os.getppid()))


def _first(names: Any) -> str | None:
    return next(iter(map(str, names or ())), None)


def write(file: Path, event: str, **values: Any) -> None:
    """Append a line on an event that happens now."""
    line = json.dumps({"event": event, "time": time.time(), **values})
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")


def begin(file: Path, leader: int) -> None:
    """Start the journal of a new run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    write(file, RUN, pid=leader)


@dataclass
class Job:
    """A job of the run, in its latest attempt.

    Attributes:
        rule: The name of its rule.
        wildcards: What tells it from others of the rule.
        log: Its log, relative to the project's root.
        began: When, in seconds since 1970.
        seconds: How long it took; None unless it ended well.
        failed: Whether it failed.
    """

    rule: str
    wildcards: Mapping[str, str]
    log: str | None
    began: float
    seconds: float | None = None
    failed: bool = False

    @property
    def running(self) -> bool:
        """Whether it has neither ended nor failed, if its run is under way."""
        return self.seconds is None and not self.failed

    @property
    def cell(self) -> str | None:
        """The id of the cell that it is of, if it is of one."""
        if self.rule not in STAGES:
            return None
        own = self.wildcards
        return f"{own['model']}/{own['objectives']}/{own['algorithm']}/seed{own['seed']}"


@dataclass
class Journal:
    """What a journal says, read on as it grows.

    Attributes:
        file: The journal; there may be none yet.
        jobs: The jobs of its run by their number.
        pid: The process that leads, or led, the run.
    """

    file: Path
    jobs: dict[int, Job] = field(default_factory=dict)
    pid: int | None = None
    _first: bytes = b""
    _read: int = 0

    def refresh(self) -> None:
        """Read the lines that were added; one that is not whole yet waits for the next time."""
        try:
            with self.file.open("rb") as stream:
                first = stream.readline()
                if first != self._first:  # of another run
                    self.jobs, self._first, self._read = {}, first, 0
                stream.seek(self._read)
                added = stream.read()
        except OSError:
            return  # there is none yet, or it cannot be read now
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):  # cut short by a full disk
                self._take(json.loads(line))

    def _take(self, line: Mapping[str, Any]) -> None:
        if line["event"] == RUN:
            self.pid = line["pid"]
        elif line["event"] == BEGUN:
            job = Job(line["rule"], line["wildcards"], line["log"], line["time"])
            self.jobs[line["job"]] = job
        elif line["job"] in self.jobs:
            job = self.jobs[line["job"]]
            job.failed = line["event"] == FAILED
            job.seconds = None if job.failed else line["time"] - job.began
