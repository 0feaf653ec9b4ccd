"""``crosstalk status``: which of a study's cells are done, running, failed or left.

Cells are done by the records that jobs leave. What runs and what failed is in the journal of the
latest run (:mod:`benchmark.commands.jobs.journal`), which counts as under way while its process
holds the project's lock. How far a training is, it writes itself
(:mod:`benchmark.commands.jobs.underway`).
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from time import time
from typing import Any

from benchmark.commands.jobs.journal import STAGES, Job, Journal
from benchmark.commands.jobs.records import Diagnosed, Evaluated, Trained
from benchmark.commands.jobs.retries import Failure, failures
from benchmark.commands.jobs.underway import UnderWay
from benchmark.common.files import holder
from benchmark.common.records import Record
from benchmark.study.study import Cell, Study


@dataclass(frozen=True)
class AtWork:
    """What a job that runs is doing.

    Attributes:
        cell: The cell's id.
        stage: What the job does with it: train, evaluate or diagnose.
        seconds: For how long.
        step: The training steps that are done; None where it does not train, or says nothing yet.
        steps: How many there will be; the same.
        seconds_per_step: The mean; None before the first is done.
        rewards: Each objective's mean reward in the latest step.
    """

    cell: str
    stage: str
    seconds: float
    step: int | None = None
    steps: int | None = None
    seconds_per_step: float | None = None
    rewards: Mapping[str, float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """What it is doing, in one line."""
        told = [f"{self.stage} {self.cell}: {duration(self.seconds)}"]
        if self.step is not None:
            told.append(f"step {self.step} of {self.steps}")
        if self.seconds_per_step is not None:
            told.append(f"{self.seconds_per_step:.3g} s a step")
        told += [f"{name} {reward:.2f}" for name, reward in self.rewards.items()]
        return ", ".join(told)


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Attributes:
        study: Its name.
        cells: How many there are.
        done: Cells with a result of the present code and settings.
        running: Cells that a job is working on.
        failed: Cells whose latest job failed.
        left: All other cells.
        under_way: Whether a run of the study is.
        seconds_left: Expected until all but the failed ones are done, from the jobs that ended and
            as many at a time as there are now; None while no job of that kind has ended, no run is
            under way, or nothing but failed ones is left.
        failures: Jobs that failed, also those that are of no cell.
        at_work: What the jobs of the running cells are doing.
    """

    study: str
    cells: int
    done: int
    running: int
    failed: int
    left: int
    under_way: bool
    seconds_left: float | None
    failures: tuple[Failure, ...]
    at_work: tuple[AtWork, ...]

    def record(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @property
    def line(self) -> str:
        """What there is, in one line."""
        counts = f"{self.done} of {self.cells} cells done, {self.running} running, "
        counts += f"{self.failed} failed, {self.left} left"
        if self.seconds_left is None:
            return counts
        return f"{counts}; about {duration(self.seconds_left)} to go"

    def lines(self) -> list[str]:
        """Return what there is, a line per running cell, and one per failure."""
        under_way = "" if self.under_way or self.done == self.cells else "; no run is under way"
        at_work = (f"  {each.line}" for each in self.at_work)
        return [f"{self.study}: {self.line}{under_way}", *at_work, *self.failure_lines()]

    def failure_lines(self) -> list[str]:
        """Return a line per failure: what, why, where to read on, and how to try it again."""
        return [
            f"failed: {each.job}: {each.message}{f' ({each.log})' if each.log else ''}; "
            f"again: `{each.retry}`"
            for each in self.failures
        ]


@dataclass
class Watch:
    """Follows a study's cells: their records, and the journal of its run as it grows.

    Attributes:
        study: The study.
        diagnosed: Whether a cell is done only once it is diagnosed, too.
    """

    study: Study
    diagnosed: bool

    @cached_property
    def journal(self) -> Journal:
        """What the journal of the latest run says so far."""
        return Journal(self.study.layout.journal)

    @cached_property
    def left(self) -> dict[str, list[str]]:
        """The stages that each cell has no present record of."""
        return {cell.id: self._stages_left(cell) for cell in self.study.cells}

    def _stages_left(self, cell: Cell) -> list[str]:
        kinds: dict[type[Record], str]
        kinds = {Trained: cell.training_hash, Evaluated: cell.hash}
        kinds |= {Diagnosed: cell.diagnosis_hash} if self.diagnosed else {}
        records = [kind.read(cell.folder, hash_) for kind, hash_ in kinds.items()]
        return [stage for stage, record in zip(STAGES, records, strict=False) if record is None]

    def status(self) -> Status:
        """Read on, and return how far the study is."""
        self.journal.refresh()
        jobs = {(job.cell, job.rule): job for job in self.journal.jobs.values()}
        for cell, stages in self.left.items():
            if any((job := jobs.get((cell, s))) and job.seconds is not None for s in stages):
                self.left[cell] = self._stages_left(self.study.by_id[cell])
        unfinished = {cell: stages for cell, stages in self.left.items() if stages}
        open_jobs = [
            job for (cell, rule), job in jobs.items() if rule in unfinished.get(cell or "", ())
        ]
        under_way = self._under_way()
        running = {job.cell: job for job in open_jobs if job.running and under_way}
        failed = {job.cell for job in open_jobs if job.failed} - running.keys()
        waiting = {cell: s for cell, s in unfinished.items() if cell not in failed}
        going = under_way and waiting
        return Status(
            study=self.study.name,
            cells=len(self.left),
            done=len(self.left) - len(unfinished),
            running=len(running),
            failed=len(failed),
            left=len(waiting) - len(running),
            under_way=under_way,
            seconds_left=self._seconds_left(waiting, list(running.values())) if going else None,
            failures=failures(self.study, self.journal.jobs.values(), unfinished),
            at_work=tuple(self._at_work(cell, job) for cell, job in running.items() if cell),
        )

    def _at_work(self, cell: str, job: Job) -> AtWork:
        told = None
        if job.rule == STAGES[0]:
            told = UnderWay.since(self.study.by_id[cell], job.began)
        at_work = AtWork(cell, job.rule, max(0.0, time() - job.began))
        if told is None:
            return at_work
        how_far = {key: getattr(told, key) for key in ("step", "steps", "seconds_per_step")}
        return replace(at_work, **how_far, rewards=told.rewards)

    def _under_way(self) -> bool:
        lock = self.study.layout.workflow_lock
        return self.journal.pid is not None and holder(lock) == self.journal.pid

    def _seconds_left(
        self, waiting: Mapping[str, Sequence[str]], running: Sequence[Job]
    ) -> float | None:
        """Return the work that is left, shared out among the jobs that run now."""
        took = self._seconds_taken()
        work = 0.0
        for cell, stages in waiting.items():
            for stage in stages:
                of_stage = {model: s for (rule, model), s in took.items() if rule == stage}
                if not of_stage:
                    return None
                own = of_stage.get(self.study.by_id[cell].model)
                work += fmean(own or [s for each in of_stage.values() for s in each])
        spent = sum(time() - job.began for job in running)
        return max(0.0, work - spent) / max(1, len(running))

    def _seconds_taken(self) -> dict[tuple[str, str], list[float]]:
        """Return how long jobs of cells took, by stage and model, in this run and earlier."""
        found = {key: list(seconds) for key, seconds in self._earlier.items()}
        for job in self.journal.jobs.values():
            if job.cell is not None and job.seconds is not None:
                found.setdefault((job.rule, job.wildcards["model"]), []).append(job.seconds)
        return found

    @cached_property
    def _earlier(self) -> dict[tuple[str, str], list[float]]:
        found: dict[tuple[str, str], list[float]] = {}
        for cell in self.study.cells:
            for stage in set(STAGES).difference(self.left[cell.id]):
                for seconds in benchmarked(cell.folder / f"{stage}.benchmark.tsv"):
                    found.setdefault((stage, cell.model), []).append(seconds)
        return found


def duration(seconds: float) -> str:
    """Return a time as people say it, in two units at most."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{round(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def benchmarked(file: Path) -> list[float]:
    """Return the seconds in a benchmark file of Snakemake; there may be none."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return [float(row["s"]) for row in csv.DictReader(stream, delimiter="\t")]
    except (OSError, KeyError, ValueError):
        return []
