"""``crosstalk run``: run a whole study through Snakemake, safe to kill and to start again."""

import logging
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil
import typer

from benchmark.commands import progress
from benchmark.commands.jobs import journal
from benchmark.commands.jobs.failures import run_folder
from benchmark.commands.jobs.gpus import WHOLE, machine_gpus
from benchmark.commands.jobs.preloaded.starting import NO_OFFER, Offer, obstacle, preloading
from benchmark.commands.jobs.profiles import DEFAULT, LOCAL, Profile
from benchmark.commands.status import Watch
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import exclusive
from benchmark.common.paths import WORKFLOW, relative
from benchmark.study.downloads import check_downloaded
from benchmark.study.resources import shares_gpus
from benchmark.study.study import Study, diagnosis_plan
from benchmark.tracking.address import sqlite_file, tracking_uri

logger = logging.getLogger(__name__)

LISTED = 1000  # the most cells whose jobs a dry run lists; of more it gives the numbers alone
SNAKEFILE = WORKFLOW / "Snakefile"
# Else the C library hands a pass's memory back to the system, and the next one faults it in again:
# an update of `linear` takes 1.15 times as long then, one by three gradients 1.4 times.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_MMAP_THRESHOLD_": str(2**32)}


def run_study(study: Study, arguments: Sequence[str] = (), profile: str = DEFAULT) -> int:
    """Run the study's workflow, print its leaderboard, and return Snakemake's exit status.

    When cells fail, the leaderboard is still built from those that did not; it names the others.

    Args:
        study: What to run.
        arguments: Further arguments for Snakemake.
        profile: Where its jobs run: a profile's name or folder.

    Raises:
        CrosstalkError: There is no such profile, or it cannot run the study.
    """
    watch = Watch(study, study.file.diagnosis is not None and study.file.diagnosis.automatic)
    status = _run(watch, arguments, Profile.load(profile))
    if not is_dry(arguments):
        _show_leaderboard(study, failed=status != 0)
    return status


def diagnose_study(study: Study, arguments: Sequence[str] = (), profile: str = DEFAULT) -> int:
    """Diagnose the study's cells, print what that found, and return Snakemake's exit status.

    The leaderboard is built again: why an objective fell is a column of its tables.

    Raises:
        CrosstalkError: The study asks for no diagnosis, or the profile cannot run it.
    """
    diagnosis_plan(study)
    watch = Watch(study, diagnosed=True)
    status = _run(watch, ["report", *arguments], Profile.load(profile))
    if not is_dry(arguments):
        from benchmark.commands.leaderboard import build as build_leaderboard
        from benchmark.commands.report import build

        typer.echo(build(study).page)
        build_leaderboard([study], allow_mixed=False)
        typer.echo(f"Report: {relative(study.layout.board / 'diagnosis.md')}")
    return status


def _run(watch: Watch, arguments: Sequence[str], profile: Profile) -> int:
    """Run Snakemake, say how far it is and how it ended, and return its exit status.

    Our lock, which the operating system releases however its holder ends, says whether a run is
    under way, so a lock that a killed Snakemake left behind is stale and is removed here. It is
    handed on to Snakemake, which keeps it should this process be the one that is killed.
    """
    study, layout = watch.study, watch.study.layout
    told = [*_placed(study, arguments, profile), *arguments]
    with exclusive(layout.workflow_lock, "running a study here") as lock:
        if any((layout.root / ".snakemake" / "locks").glob("*")):
            _snakemake(study, ["--unlock", "--quiet"], profile, Given(lock))
        if is_dry(arguments):
            return _snakemake(study, told, profile, Given(lock))
        progress.begin(watch)
        started = time.monotonic()
        with run_folder(layout.root / "results") as failures:
            own = {**failures, journal.VARIABLE: str(layout.journal)}
            with _preloading(study, profile, own) as offer:
                given = Given(lock, {**own, **offer.environment}, offer.descriptors)
                status = _snakemake(study, told, profile, given, watch)
        progress.end(watch, time.monotonic() - started)
        return status


@contextmanager
def _preloading(study: Study, profile: Profile, own: Mapping[str, str]) -> Iterator[Offer]:
    """Offer the jobs a process to be forked from, where they run here and can be."""
    reason = "they run elsewhere" if profile.executor != LOCAL else obstacle(machine_gpus())
    if reason:
        logger.debug("each job imports what it needs: %s", reason)
        yield NO_OFFER
        return
    with preloading(study.layout.root, {**_environment(), **own}) as offer:
        yield offer


def _placed(study: Study, arguments: Sequence[str], profile: Profile) -> list[str]:
    """Return Snakemake's options for the profile, and for the machine's GPUs if jobs run here."""
    if not is_dry(arguments):
        check_downloaded(study)
        profile.check(study)
        _find_store(study)
    elif profile.executor != LOCAL:
        profile.check_cluster()
    check_given(study, arguments, profile)
    options = ["--workflow-profile", str(profile.file.parent)]
    told = any(word.startswith(("--quiet", "-q", "--printshellcmds", "-p")) for word in arguments)
    if is_dry(arguments) and len(study.cells) > LISTED and not told:
        options = ["--quiet", "rules", "progress", *options]  # to list them takes half of the time
    if profile.executor == LOCAL and not any(a.startswith("--resources") for a in arguments):
        gpus = len(machine_gpus()) * (WHOLE if shares_gpus(study) else 1)
        options += [f"--resources=gpu={gpus}"] if gpus else []
    return options


def check_given(study: Study, arguments: Sequence[str], profile: Profile) -> None:
    """Refuse a number of GPUs given by hand that would be taken for hundredths of one."""
    given = re.search(r"--resources\b[^-]*\bgpu=(\d+)", " ".join(arguments))
    if given is None or profile.executor != LOCAL or not shares_gpus(study):
        return
    if int(given[1]) % WHOLE:
        raise CrosstalkError(
            f"--resources: gpu: expected {WHOLE} for each GPU, since models of {study.name} take "
            f"shares of one, got {given[1]}"
        )


def _find_store(study: Study) -> None:
    """Make a store again that was deleted after it had been prepared, with what cells keep."""
    database = sqlite_file(tracking_uri(study.layout.root))
    if study.layout.tracking.is_file() and database is not None and not database.exists():
        from benchmark.commands.prepare import prepare_tracking

        prepare_tracking(study)


def is_dry(arguments: Sequence[str]) -> bool:
    """Say whether Snakemake is asked to plan only."""
    return not {"-n", "--dry-run", "--dryrun"}.isdisjoint(arguments)


def _environment() -> dict[str, str]:
    binaries = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return KEEP_MEMORY | os.environ | {"PATH": binaries}  # rules call `crosstalk`


@dataclass(frozen=True)
class Given:
    """What Snakemake is handed: the lock of running, and what its jobs find in the environment.

    Attributes:
        lock: The descriptor of the lock, which it keeps should this process be killed.
        environment: Variables in addition to this process's own.
        descriptors: Further descriptors that it holds while it lives.
    """

    lock: int
    environment: Mapping[str, str] = field(default_factory=lambda: NO_OFFER.environment)
    descriptors: Sequence[int] = ()


def _snakemake(
    study: Study,
    arguments: Sequence[str],
    profile: Profile,
    given: Given,
    watch: Watch | None = None,
) -> int:
    """Run Snakemake and return its exit status; a run that is watched says how far it is."""
    config = profile.config | {"study": study.given_path, "snapshot": study.snapshot}
    command = [
        *(sys.executable, "-m", "benchmark.commands.jobs.run_snakemake"),
        *arguments,
        *("--snakefile", str(SNAKEFILE), "--directory", str(study.layout.root)),
        *("--config", *(f"{key}={value}" for key, value in config.items())),
    ]
    logger.debug("%s", shlex.join(command))
    process = subprocess.Popen(
        command,
        pass_fds=[given.lock, *given.descriptors],
        env={**_environment(), **given.environment},
        stderr=subprocess.PIPE if watch is not None and progress.live() else None,
        text=True,
        errors="replace",
    )
    try:
        return process.wait() if watch is None else progress.wait(process, watch)
    except BaseException:  # Ctrl-C or SIGTERM
        _end(psutil.Process(process.pid))
        process.wait()
        raise


def _end(snakemake: psutil.Process) -> None:
    """End Snakemake at once, and ask its jobs to end.

    Asked politely, it would let long jobs finish, and retry those that end. What being killed
    leaves behind, :func:`run_study` clears up anyway.
    """
    jobs = snakemake.children(recursive=True)
    snakemake.kill()
    for job in jobs:
        with suppress(psutil.NoSuchProcess):
            job.terminate()
    psutil.wait_procs(jobs)


def _show_leaderboard(study: Study, *, failed: bool) -> None:
    page = study.layout.board / "leaderboard.md"
    if not failed:
        typer.echo(page.read_text(encoding="utf-8"))
    else:
        from benchmark.commands.leaderboard import build

        try:
            typer.echo(build([study], allow_mixed=False).page)
        except CrosstalkError as error:
            logger.error("error: %s", error)
    if page.is_file():
        index = page.with_name("index.html")
        typer.echo(f"Leaderboard: {relative(page)}, to look at: {relative(index)}")
