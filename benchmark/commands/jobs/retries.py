"""Jobs of a run that failed: what their logs say, and the commands that try them again."""

import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from benchmark.commands.jobs.failures import reason
from benchmark.commands.jobs.journal import Job
from benchmark.common.paths import relative
from benchmark.study.loading import study_files
from benchmark.study.study import Study


@dataclass(frozen=True)
class Failure:
    """A job that failed: which, its log's message, its log, and the command that tries it again."""

    job: str
    message: str
    log: str | None
    retry: str


def failures(study: Study, jobs: Iterable[Job], unfinished: Collection[str]) -> tuple[Failure, ...]:
    """Return the jobs that failed, without those of cells that were finished since."""
    return tuple(
        _failure(study, job)
        for job in jobs
        if job.failed and (job.cell is None or job.cell in unfinished)
    )


def _failure(study: Study, job: Job) -> Failure:
    what = job.cell or " ".join(job.wildcards.values())
    log = None if job.log is None else study.layout.root / job.log
    return Failure(
        job=f"{job.rule} {what}".rstrip(),
        message=reason(log),
        log=None if log is None else relative(log),
        retry=retry_command(study, job),
    )


def retry_command(study: Study, job: Job) -> str:
    """Return the command line that tries a job again, without the workflow."""
    name = study_name(study)
    model = job.wildcards.get("model", "")
    words = {
        "tracking": ["prepare", "--without-models", name],
        "prepare": ["prepare", "--model", model],
        "calibrate": ["calibrate", name, job.wildcards.get("objective", "")],
        "diagnose": ["diagnose-cell", name, job.cell or ""],
    }.get(job.rule)
    if words is None:
        of = [job.cell] if job.cell else [model, job.wildcards.get("objectives", "")]
        words = [job.rule, name, *filter(None, of)]
    return shlex.join(["crosstalk", *words])


def study_name(study: Study) -> str:
    """Return what a person calls the study: its name, or its path if it is found by none."""
    named = study_files(study.layout.root).get(study.name) == study.path
    return study.name if named else study.given_path
