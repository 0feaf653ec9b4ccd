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
LOCATED = "RuleException", "CalledProcessError"  # how Snakemake says again that a job failed
_OF_THE_WORKFLOW = re.compile(
    r"^exec |--end-with-parent |--(?:lease|given)-gpus \S+ |--hash \S+ | > .*$"
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
            logs = [Path(name) for name in job.get("log") or ()]
            yield f"failed: {self._messages.get(number) or job.get('rule_name')}: {reason(logs)}"
            yield from (f"    log: {log}" for log in logs)
            yield f"    by hand: {by_hand(str(job.get('shellcmd') or ''))}"

    def _cannot_pass(self, jobid: str) -> bool:
        command = str(self._failed.get(jobid, {}).get("shellcmd") or "")
        words = shlex.split(command.partition(" > ")[0])
        note = _note(words[words.index("crosstalk") + 1 :]) if "crosstalk" in words else None
        return note is not None and note.is_file()


def reason(logs: Sequence[Path]) -> str:
    """Return the line of a job's logs that says why it failed."""
    text = "".join(log.read_text("utf-8", "replace") for log in logs if log.is_file())
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    told = [line for line in lines if line.startswith("error: ")]
    return printable((told or lines or ["it ended without a word; was it killed?"])[-1])


def by_hand(command: str) -> str:
    """Return a job's command without what only the workflow needs."""
    return _OF_THE_WORKFLOW.sub("", command)
