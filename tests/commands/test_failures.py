"""A failed job is told once, with its reason, log and command, and tried again if that may help."""

import logging
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from benchmark.commands.jobs import failures
from benchmark.commands.jobs.failures import Failures, by_hand, reason, recall, remember, run_folder
from benchmark.common.errors import CrosstalkError, Transient

ARGUMENTS = ["--end-with-parent", "--lease-gpus", "0", "train", "--hash", "0f", "lab.yaml", "m/o/a"]
SHELL = "exec crosstalk " + " ".join(ARGUMENTS) + " > m/train.log 2>&1"


@pytest.fixture
def _in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with run_folder(tmp_path / "results") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield
    assert not list((tmp_path / "results").iterdir())


def record(message: str, event: LogEvent | None, **extra: Any) -> logging.LogRecord:
    found = logging.LogRecord("snakemake", logging.ERROR, "", 0, message, None, None)
    vars(found).update(extra, **({} if event is None else {"event": event}))
    return found


def failed(folder: Path, jobid: int = 3, output: str = "train.json") -> logging.LogRecord:
    """Return what Snakemake logs of a failed job."""
    (folder / "train.log").write_text("loading\r 5%|   \rerror: the disk is full\n")
    told = {"rule_name": "train", "rule_msg": None, "jobid": jobid, "shellcmd": SHELL}
    files = {"output": [str(folder / output)], "log": [str(folder / "train.log")]}
    return record("Error in rule train, jobid: 3", LogEvent.JOB_ERROR, **told, **files)


def test_a_failed_job_is_told_once_at_the_end(tmp_path: Path) -> None:
    told = Failures()
    exception = record("RuleException:\n…", LogEvent.ERROR, exception="RuleException")
    again = record("Trying to restart job 3.", None)
    for each, shown in (
        (record("Job 3", LogEvent.JOB_INFO, jobid=3, rule_msg="Train m/o/a"), True),
        (failed(tmp_path), False),
        (exception, False),
        (again, True),
        (failed(tmp_path), False),
        (record("Finished", LogEvent.JOB_FINISHED), True),
        (record("no such file", LogEvent.ERROR, exception="MissingInputException"), True),
    ):
        assert told.filter(each) is shown
    assert list(told.lines()) == [
        "failed: Train m/o/a: the disk is full",
        f"    log: {tmp_path / 'train.log'}",
        "    by hand: crosstalk train lab.yaml m/o/a",
    ]


def test_a_second_try_that_went_well_is_not_told(tmp_path: Path) -> None:
    told = Failures()
    told.filter(failed(tmp_path))
    (tmp_path / "train.json").touch()
    assert list(told.lines()) == []


@pytest.mark.usefixtures("_in_a_run")
def test_what_cannot_pass_is_not_tried_again(tmp_path: Path) -> None:
    recall(ARGUMENTS)  # a first try
    remember(CrosstalkError("objective 'mine' raised"), ARGUMENTS)
    with pytest.raises(CrosstalkError, match=r"^objective 'mine' raised$"):
        recall(ARGUMENTS)
    recall([*ARGUMENTS, "another"])
    told = Failures()
    told.filter(failed(tmp_path))
    assert not told.filter(record("Trying to restart job 3.", None))
    assert told.filter(record("Trying to restart job 4.", None))


@pytest.mark.usefixtures("_in_a_run")
def test_what_may_pass_is_tried_again() -> None:
    remember(Transient("locked by another process"), ARGUMENTS)
    recall(ARGUMENTS)


def test_by_hand_a_command_runs_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("", str(tmp_path / "gone")):
        monkeypatch.setenv(failures.FOLDER, folder)
        remember(CrosstalkError("wrong"), ARGUMENTS)
        recall(ARGUMENTS)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("error: first\nwaiting\n", "first"),
        ("Traceback …\nKeyError: 3\n", "KeyError: 3"),
        (" 50%|###  | 1/2\rerror: after a bar", "after a bar"),
        ("error: \x1b[31mred", r"\x1b[31mred"),
        ("", "it ended without a word; was it killed?"),
    ],
)
def test_a_log_says_why_in_one_line(tmp_path: Path, log: str, expected: str) -> None:
    file = tmp_path / "a.log"
    file.write_text(log)
    assert reason(file) == expected


def test_a_missing_log_says_that_nothing_was_said(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.log").startswith("it ended without a word")


def test_a_command_by_hand_has_nothing_of_the_workflow() -> None:
    assert by_hand(SHELL.replace("lease", "given")) == "crosstalk train lab.yaml m/o/a"
    assert by_hand("exec crosstalk --end-with-parent leaderboard --hash 1 a.yaml > l 2>&1") == (
        "crosstalk leaderboard a.yaml"
    )
