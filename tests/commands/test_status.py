"""How far a study is: from the records of its cells, and the journal of its run."""

import json
import logging
import math
import os
import sys
from pathlib import Path
from time import time
from typing import Any

import pandas
import pytest
from studies import STUDY, load_study, make_root

from benchmark.commands import cli, progress
from benchmark.commands.jobs.journal import Journal, Writer, begin
from benchmark.commands.jobs.records import Evaluated, Trained
from benchmark.commands.jobs.underway import Teller, UnderWay
from benchmark.commands.status import Watch, duration
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import exclusive, holder
from benchmark.study import Cell, Study

QUARTET = {
    "models": {"tiny-qwen2-base": None, "tiny-qwen3-base": None},
    "objective_sets": {"accuracy-clarity": None},
    "algorithms": {"linear": None, "ctwa": {"step_size": 0.1}},
    "seeds": [0],
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of four cells, entered."""
    monkeypatch.chdir(make_root(tmp_path))
    return load_study(tmp_path, **QUARTET)


def finish(cell: Cell, *stages: str) -> None:
    """Leave the records that the stages of a cell leave."""
    if "train" in stages:
        Trained(cell.training_hash, "run", "checkpoints/1").write(cell.folder)
    if "evaluate" in stages:
        cell.folder.mkdir(parents=True, exist_ok=True)
        pandas.DataFrame({"prompt": ["1 + 1"]}).to_parquet(cell.folder / "completions.parquet")
        Evaluated(cell.hash, "run", {}).write(cell.folder)


class Snakemake:
    """Logs what Snakemake would of its jobs, to a study's journal."""

    def __init__(self, study: Study) -> None:
        self.writer = Writer(study.layout.journal, os.getpid())

    def log(self, event: str, **told: Any) -> None:
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, "", None, None)
        vars(record).update(told, event=event)
        self.writer.emit(record)

    def begin(self, number: int, rule: str, cell: Cell, log: str = "x.log") -> None:
        named = {"model": cell.model, "objectives": cell.objective_set}
        named |= {"algorithm": cell.algorithm.id, "seed": str(cell.seed)}
        self.log("job_info", jobid=number, rule_name=rule, wildcards=named, log=[log])


def test_cells_without_a_run_are_done_or_left(study: Study) -> None:
    one, other, *_ = study.cells
    finish(one, "train", "evaluate")
    finish(other, "train")
    status = Watch(study, diagnosed=False).status()
    assert (status.cells, status.done, status.running, status.failed, status.left) == (
        4,
        1,
        0,
        0,
        3,
    )
    assert not status.under_way
    assert status.seconds_left is None
    assert status.lines() == [
        f"{STUDY}: 1 of 4 cells done, 0 running, 0 failed, 3 left; no run is under way"
    ]
    assert Watch(study, diagnosed=True).status().done == 0


def test_a_record_of_other_settings_does_not_count(study: Study, tmp_path: Path) -> None:
    for cell in study.cells:
        finish(cell, "train", "evaluate")
    assert Watch(study, diagnosed=False).status().done == 4
    changed = load_study(tmp_path, **QUARTET, training={"steps": 7})
    assert Watch(changed, diagnosed=False).status().left == 4


def test_a_run_is_followed_from_its_first_job_to_its_last(study: Study) -> None:
    snakemake, watch = Snakemake(study), Watch(study, diagnosed=False)
    one, other, third, _ = study.cells
    with exclusive(study.layout.workflow_lock, "testing"):
        snakemake.begin(1, "train", one)
        snakemake.begin(2, "train", other)
        status = watch.status()
        assert (status.running, status.left, status.under_way) == (2, 2, True)
        assert status.seconds_left is None  # nothing has ended
        finish(one, "train")
        snakemake.log("job_finished", job_id=1)
        snakemake.begin(3, "evaluate", one)
        finish(one, "train", "evaluate")
        snakemake.log("job_finished", job_id=3)
        snakemake.begin(4, "train", third)
        snakemake.log("job_error", jobid=2)
        status = watch.status()
        assert (status.done, status.running, status.failed, status.left) == (1, 1, 1, 1)
        snakemake.begin(2, "train", other)  # tried again
        assert (watch.status().running, watch.status().failed) == (2, 0)
    status = watch.status()
    assert (status.done, status.running, status.left, status.under_way) == (1, 0, 3, False)


def test_the_time_left_is_the_work_left_over_the_jobs_at_work(study: Study) -> None:
    one, other, third, fourth = study.cells  # two a model
    for cell, seconds in ((one, "100"), (third, "300")):
        finish(cell, "train", "evaluate")
        for stage, factor in (("train", 1.0), ("evaluate", 0.1)):
            text = f"s\tmean_load\n{float(seconds) * factor}\t1.0\n"
            (cell.folder / f"{stage}.benchmark.tsv").write_text(text)
    snakemake, watch = Snakemake(study), Watch(study, diagnosed=False)
    with exclusive(study.layout.workflow_lock, "testing"):
        snakemake.begin(1, "train", other)
        assert watch.status().seconds_left == pytest.approx(440, abs=5)
        snakemake.begin(2, "train", fourth)
        status = watch.status()
    assert status.seconds_left == pytest.approx(220, abs=5)
    assert status.line.endswith("0 left; about 4 min to go")


def test_a_failure_is_told_with_its_message_and_the_way_to_retry(
    study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    snakemake, watch, cell = Snakemake(study), Watch(study, diagnosed=False), study.cells[0]
    log = cell.folder / "train.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "noise\ncell:  0%| | 0/2 [00:00<?, ?it/s]error: out of luck\n\rcell:  0%| | 0/2\n"
    )
    snakemake.begin(1, "train", cell, str(log.relative_to(study.layout.root)))
    snakemake.log("job_error", jobid=1)
    model = {"wildcards": {"model": "tiny-qwen2-base"}, "log": ["gone.log"]}
    snakemake.log("job_info", jobid=2, rule_name="prepare", **model)
    snakemake.log("job_error", jobid=2)
    with caplog.at_level(logging.INFO, "benchmark"):
        progress.end(watch, 61)
    assert [record.message for record in caplog.records] == [
        f"{STUDY}: 0 of 4 cells done, 1 failed, in 1 min",
        f"failed: train {cell.id}: out of luck ({log.relative_to(study.layout.root)}); "
        f"again: `crosstalk train {STUDY} {cell.id}`",
        "failed: prepare tiny-qwen2-base: it ended without a word; was it killed? (gone.log); "
        "again: `crosstalk prepare --model tiny-qwen2-base`",
        f"again, all that is left: `crosstalk run {STUDY}`",
    ]
    finish(cell, "train", "evaluate")
    assert [each.job for each in Watch(study, diagnosed=False).status().failures] == [
        "prepare tiny-qwen2-base"
    ]


def test_a_training_says_its_step_rewards_and_seconds(study: Study) -> None:
    snakemake, watch = Snakemake(study), Watch(study, diagnosed=False)
    one, other, third, _ = study.cells
    finish(third, "train")
    with exclusive(study.layout.workflow_lock, "testing"):
        snakemake.begin(1, "train", one)
        snakemake.begin(2, "train", other)
        snakemake.begin(3, "evaluate", third)
        wrote = {"time": time(), "step": 3, "steps": 10, "seconds_per_step": 1.2345}
        UnderWay(one.training_hash, **wrote, rewards={"accuracy": 0.254}).write(one.folder)
        status = watch.status()
    assert [line.strip() for line in status.lines()[1:]] == [
        f"train {one.id}: 0 s, step 3 of 10, 1.23 s a step, accuracy 0.25",
        f"train {other.id}: 0 s",
        f"evaluate {third.id}: 0 s",
    ]
    told = status.record()["at_work"][0]
    assert told.pop("seconds") < 5
    assert told == {
        **{"cell": one.id, "stage": "train", "step": 3, "steps": 10},
        **{"seconds_per_step": 1.2345, "rewards": {"accuracy": 0.254}},
    }
    assert watch.status().at_work == ()  # the run is over


@pytest.mark.parametrize(("hash_", "earlier"), [(None, 60.0), ("other settings", -60.0)])
def test_what_a_killed_training_left_is_not_told(
    study: Study, hash_: str | None, earlier: float
) -> None:
    cell = study.cells[0]
    left = {"step": 3, "steps": 10, "seconds_per_step": 1.0, "rewards": {}}
    hash_ = hash_ or cell.training_hash
    UnderWay(hash_, time=time() - earlier, **left).write(cell.folder)
    with exclusive(study.layout.workflow_lock, "testing"):
        Snakemake(study).begin(1, "train", cell)
        (at_work,) = Watch(study, diagnosed=False).status().at_work
    assert (at_work.cell, at_work.step) == (cell.id, None)


def test_a_step_of_several_updates_is_one_step(tmp_path: Path) -> None:
    make_root(tmp_path)
    settings = QUARTET | {"training": {"steps": 9, "passes": 2}}
    cell = load_study(tmp_path, **settings).cells[0]
    teller = Teller(cell)
    teller.begin(4)  # from a checkpoint
    assert (found := UnderWay.since(cell, 0.0))
    assert (found.step, found.steps, found.seconds_per_step, found.rewards) == (2, 9, None, {})
    teller.begin_step(4)
    teller._written = -60.0
    teller.log(6, {"rewards/accuracy/mean": 0.5, "rewards/clarity/mean": math.nan, "loss": 1.0})
    assert (found := UnderWay.since(cell, 0.0))
    assert (found.step, found.rewards) == (3, {"accuracy": 0.5})
    assert found.seconds_per_step is not None
    assert 0 < found.seconds_per_step < 5
    teller.log(8, {"rewards/accuracy/mean": 0.7})  # at once: nobody could read it
    assert UnderWay.since(cell, 0.0) == found
    assert UnderWay.since(cell, time() + 60) is None
    teller.end()
    assert UnderWay.since(cell, 0.0) is None


def test_a_training_goes_on_where_progress_cannot_be_told(
    study: Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise CrosstalkError("no space left on the disk")

    monkeypatch.setattr(UnderWay, "write", full)
    teller = Teller(study.cells[0])
    with caplog.at_level(logging.WARNING, "benchmark"):
        teller.begin(0)
        teller.begin(1)
    assert len(caplog.messages) == 1
    assert "no space left" in caplog.text


def test_cells_at_work_take_half_of_a_screen(study: Study) -> None:
    snakemake, watch = Snakemake(study), Watch(study, diagnosed=False)
    with exclusive(study.layout.workflow_lock, "testing"):
        for number, cell in enumerate(study.cells):
            snakemake.begin(number, "train", cell)
        lines = progress.at_work(watch.status(), 3)
    assert [line.strip()[:10] for line in lines] == ["train tiny"] * 3 + ["… and 1 mo"]


def test_what_failed_before_is_told_at_the_start(
    study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    before = Snakemake(study)
    before.begin(1, "train", study.cells[0])
    before.log("job_error", jobid=1)
    watch = Watch(study, diagnosed=False)
    with caplog.at_level(logging.INFO, "benchmark"):
        progress.begin(watch)
    assert caplog.messages == [f"{STUDY}: 0 of 4 cells done, 4 left, 1 of them failed before"]
    Snakemake(study).begin(1, "train", study.cells[1])  # the next run
    assert watch.status().failed == 0


def test_a_pipe_gets_a_line_when_a_cell_is_done(
    study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    watch, snakemake = Watch(study, diagnosed=False), Snakemake(study)
    snakemake.begin(1, "evaluate", study.cells[0])
    with caplog.at_level(logging.INFO, "benchmark"), progress.plain(None) as show:
        show(watch.status())
        show(watch.status())
        finish(study.cells[0], "train", "evaluate")
        snakemake.log("job_finished", job_id=1)
        show(watch.status())
    assert caplog.messages == [f"{STUDY}: 1 of 4 cells done, 0 running, 0 failed, 3 left"]


def test_half_a_line_of_the_journal_waits_for_its_rest(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    begin(file, 7)
    line = json.dumps(
        {"event": "begun", "time": 1.0, "job": 1, "rule": "tracking", "wildcards": {}, "log": None}
    )
    journal = Journal(file)
    for part in (line[:20], f"{line[20:]}\n"):
        assert journal.jobs == {}
        with file.open("a") as stream:
            stream.write(part)
        journal.refresh()
    assert (journal.pid, journal.jobs[1].rule) == (7, "tracking")
    with file.open("a") as stream:
        stream.write(f'{{"event": "begun", "ti\n{line.replace("tracking", "prepare")}\n')
    journal.refresh()
    assert journal.jobs[1].rule == "prepare"  # past a line that a full disk cut short


def test_the_holder_of_a_lock_is_found_without_disturbing_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert holder(file) is None
    with exclusive(file, "testing"):
        assert holder(file) == os.getpid()
    assert holder(file) is None


def test_status_is_printed_as_json_for_programs(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(study.cells[0], "train", "evaluate")
    monkeypatch.setattr(sys, "argv", ["crosstalk", "status", STUDY, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        **{"study": STUDY, "cells": 4, "done": 1, "running": 0, "failed": 0, "left": 3},
        **{"under_way": False, "seconds_left": None, "failures": [], "at_work": []},
    }


def test_a_check_is_printed_as_json_for_programs(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["from the hub: all there", "warning: no GPU here"]
    monkeypatch.setattr("benchmark.commands.check.report", lambda *_: list(lines))
    monkeypatch.setattr(sys, "argv", ["crosstalk", "check", STUDY, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    told, hours = found.pop("notes")
    assert (told, hours[:6]) == ("from the hub: all there", "about ")
    assert found == {
        **{"study": STUDY, "file": study.where, "cells": 4},
        "warnings": ["no GPU here"],
    }


@pytest.mark.parametrize(
    ("arguments", "number", "keys"),
    [
        (["list", "models"], None, {"name", "source"}),
        (["list", "algorithms"], None, {"name", "kind", "signals", "source"}),
        (["list", "studies"], None, {"name", "description"}),
        (["list", "profiles"], 4, {"name", "folder"}),
        (["cells", STUDY], 4, {"id", "hash", "model", "objectives", "algorithm", "seed"}),
    ],
)
def test_lists_are_printed_as_json_for_programs(
    study: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    number: int | None,
    keys: set[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["crosstalk", *arguments, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert number in (None, len(found))
    assert found
    assert all(each.keys() == keys and next(iter(each.values())) for each in found)


@pytest.mark.parametrize(
    ("seconds", "told"), [(4.4, "4 s"), (59, "1 min"), (600, "10 min"), (3700, "1 h 2 min")]
)
def test_times_are_said_as_people_say_them(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("error: first\nerror: last\nafterwards\n", "last"),
        ("Traceback\nRuntimeError: odd\n 50%|#### | 1/2 [00:01<00:01]\n", "RuntimeError: odd"),
        ("", "it ended without a word; was it killed?"),
        (f"{'x' * 400}\n", f"{'x' * 300}…"),
    ],
)
def test_the_message_of_a_failure_is_its_logs_last_word(study: Study, log: str, told: str) -> None:
    snakemake, cell = Snakemake(study), study.cells[0]
    (study.layout.root / "x.log").write_text(log)
    snakemake.begin(1, "train", cell)
    snakemake.log("job_error", jobid=1)
    (failure,) = Watch(study, diagnosed=False).status().failures
    assert failure.message == told
