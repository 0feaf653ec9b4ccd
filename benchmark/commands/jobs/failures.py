"""Tell each failed job of the workflow once, at its end, and spare a second try what cannot pass.

Snakemake tries a failed job once more, whatever its reason, and tells every try. So a job whose
error only a person can put right (any ``CrosstalkError`` but :class:`Transient`) leaves it in a
folder of the run, and the second try, finding it there, ends at once. What Snakemake says of failed
jobs is collected, for `onerror` of the workflow to tell in three lines each.
"""

import hashlib
import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmark.common.errors import CrosstalkError, Transient, printable
from benchmark.common.files import scratch_folder

FOLDER = "CROSSTALK_FAILURES"  # the environment variable with the run's folder
TAIL = 8192  # bytes of a log's end that are searched for its message
LONGEST = 300  # characters of a message that are shown
LOCATED = "RuleException", "CalledProcessError"  # how Snakemake says again that a job failed
_ERROR = re.compile(r"(?:^|\])error: (.+)$")  # it may follow a bar of progress
_BAR = re.compile(r"\d%\|")
_OF_THE_WORKFLOW = re.compile(
    r"^exec |--end-with-parent |--(?:lease|given)-gpu(?:s|-percent) \S+ |--hash \S+ "
    r"|--usage \S+ | > .*$"
)


@contextmanager
def run_folder(results: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a run's jobs, with the folder for what they cannot pass."""
    results.mkdir(parents=True, exist_ok=True)
    with scratch_folder(".failures.", results) as folder:
        yield {FOLDER: str(folder)}


def remember(error: CrosstalkError, arguments: Sequence[str]) -> None:
    """Leave a job's error for a second try of the same command, unless it may pass."""
    note = _note(arguments)
    if note is not None and not isinstance(error, Transient):
        with suppress(OSError):  # then it is tried again
            note.write_text(str(error), encoding="utf-8")


def recall(arguments: Sequence[str]) -> None:
    """Raise what an earlier try of this command failed with, if that cannot pass."""
    note = _note(arguments)
    if note is not None and note.is_file():
        raise CrosstalkError(note.read_text(encoding="utf-8"))


def _note(arguments: Sequence[str]) -> Path | None:
    folder = os.environ.get(FOLDER, "")
    if not folder or not Path(folder).is_dir():  # run by hand, or on a machine of its own
        return None
    return Path(folder) / hashlib.sha256("\0".join(arguments).encode()).hexdigest()


class Failures(logging.Filter):
    """Keeps what Snakemake says of failed jobs from a handler, and tells it in the end."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[str, Mapping[str, Any]] = {}  # by job
        self._messages: dict[str, str] = {}  # of each job, from when it began

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is shown at once."""
        event = getattr(getattr(record, "event", None), "value", None)
        job = str(getattr(record, "jobid", ""))
        if event == "job_info":
            self._messages[job] = getattr(record, "rule_msg", None) or ""
        if event == "job_error":
            self._failed[job] = vars(record)
            return False
        again = re.fullmatch(r"Trying to restart job (.*)\.", record.getMessage())
        if again is not None:
            return not self._cannot_pass(again[1])
        return not (event == "error" and getattr(record, "exception", "") in LOCATED)

    def lines(self) -> Iterator[str]:
        """Yield what is said of each job that failed to the end, a few lines a job."""
        for number, job in self._failed.items():
            outputs = [Path(name) for name in job.get("output") or ()]
            if outputs and all(output.exists() for output in outputs):
                continue  # its second try went well
            logs = [Path(name) for name in job.get("log") or () if not name.endswith(".tsv")]
            what = self._messages.get(number) or job.get("rule_name")
            yield f"failed: {what}: {reason(logs[0] if logs else None)}"
            yield from (f"    log: {log}" for log in logs)
            yield f"    by hand: {by_hand(str(job.get('shellcmd') or ''))}"

    def _cannot_pass(self, jobid: str) -> bool:
        command = str(self._failed.get(jobid, {}).get("shellcmd") or "")
        words = shlex.split(command.partition(" > ")[0])
        note = _note(words[words.index("crosstalk") + 1 :]) if "crosstalk" in words else None
        return note is not None and note.is_file()


def reason(log: Path | None) -> str:
    """Return what a log says of its job's failure: the last error, else the last line."""
    try:
        lines = [] if log is None else _tail(log)
    except OSError:
        lines = []
    errors = [error[1] for line in lines if (error := _ERROR.search(line)) is not None]
    others = [line for line in lines if not _BAR.search(line)]
    found = (errors or others or ["it ended without a word; was it killed?"])[-1]
    return printable(found if len(found) <= LONGEST else f"{found[:LONGEST]}…")


def _tail(log: Path) -> list[str]:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL))
        text = stream.read().decode(errors="replace")
    return [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def by_hand(command: str) -> str:
    """Return a job's command without what only the workflow needs."""
    return _OF_THE_WORKFLOW.sub("", command)
