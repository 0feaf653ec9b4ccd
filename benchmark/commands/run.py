"""``crosstalk run``: run a whole study through Snakemake, safe to kill and to start again."""

import logging
import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil
import typer

from benchmark.commands.jobs.gpus import machine_gpus
from benchmark.commands.jobs.preloaded.starting import NO_OFFER, Offer, obstacle, preloading
from benchmark.commands.jobs.profiles import DEFAULT, LOCAL, Profile
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import exclusive
from benchmark.common.paths import PACKAGE, relative
from benchmark.study.downloads import check_downloaded
from benchmark.study.study import Study, diagnosis_plan

logger = logging.getLogger(__name__)

LISTED = 1000  # the most cells whose jobs a dry run lists; of more it gives the numbers alone
SNAKEFILE = PACKAGE.parent / "workflow" / "Snakefile"
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
    status = _run(study, arguments, Profile.load(profile))
    if not _dry(arguments):
        _show_leaderboard(study, failed=status != 0)
    return status


def diagnose_study(study: Study, arguments: Sequence[str] = (), profile: str = DEFAULT) -> int:
    """Diagnose the study's cells, print what that found, and return Snakemake's exit status.

    The leaderboard is built again: why an objective fell is a column of its tables.

    Raises:
        CrosstalkError: The study asks for no diagnosis, or the profile cannot run it.
    """
    diagnosis_plan(study)
    status = _run(study, ["report", *arguments], Profile.load(profile))
    if not _dry(arguments):
        from benchmark.commands.leaderboard import build as build_leaderboard
        from benchmark.commands.report import build

        typer.echo(build(study))
        build_leaderboard([study], allow_mixed=False)
        typer.echo(f"Report: {relative(study.layout.leaderboard / 'diagnosis.md')}")
    return status


def _run(study: Study, arguments: Sequence[str], profile: Profile) -> int:
    """Run Snakemake and return its exit status.

    Our lock, which the operating system releases however its holder ends, says whether a run is
    under way, so a lock that a killed Snakemake left behind is stale and is removed here. It is
    handed on to Snakemake, which keeps it should this process be the one that is killed.
    """
    arguments = [*_placed(study, arguments, profile), *arguments]
    root = study.layout.root
    with exclusive(root / "results" / ".workflow.lock", "running a study here") as lock:
        if any((root / ".snakemake" / "locks").glob("*")):
            _snakemake(study, ["--unlock", "--quiet"], profile, lock)
        with _preloading(study, arguments, profile) as offer:
            return _snakemake(study, arguments, profile, lock, offer)


@contextmanager
def _preloading(study: Study, arguments: Sequence[str], profile: Profile) -> Iterator[Offer]:
    """Offer the jobs a process to be forked from, where they run here and can be."""
    if _dry(arguments) or profile.executor != LOCAL:
        yield NO_OFFER
        return
    reason = obstacle(machine_gpus())
    if reason:
        logger.debug("each job imports what it needs: %s", reason)
        yield NO_OFFER
        return
    with preloading(study.layout.root, _environment()) as offer:
        yield offer


def _placed(study: Study, arguments: Sequence[str], profile: Profile) -> list[str]:
    """Return Snakemake's options for the profile, and for the machine's GPUs if jobs run here."""
    if not _dry(arguments):
        check_downloaded(study)
        profile.check(study)
    elif profile.executor != LOCAL:
        profile.check_cluster()
    options = ["--workflow-profile", str(profile.file.parent)]
    told = any(word.startswith(("--quiet", "-q", "--printshellcmds", "-p")) for word in arguments)
    if _dry(arguments) and len(study.cells) > LISTED and not told:
        options = ["--quiet", "rules", "progress", *options]  # to list them takes half of the time
    if profile.executor == LOCAL and not any(a.startswith("--resources") for a in arguments):
        gpus = len(machine_gpus())
        options += [f"--resources=gpu={gpus}"] if gpus else []
    return options


def _dry(arguments: Sequence[str]) -> bool:
    return not {"-n", "--dry-run", "--dryrun"}.isdisjoint(arguments)


def _environment() -> dict[str, str]:
    binaries = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return KEEP_MEMORY | os.environ | {"PATH": binaries}  # rules call `crosstalk`


def _snakemake(
    study: Study, arguments: Sequence[str], profile: Profile, lock: int, offer: Offer = NO_OFFER
) -> int:
    config = profile.config | {"study": study.given_path}
    command = [
        *(sys.executable, "-m", "snakemake"),
        *arguments,
        *("--snakefile", str(SNAKEFILE), "--directory", str(study.layout.root)),
        *("--config", *(f"{key}={value}" for key, value in config.items())),
    ]
    environment = {**_environment(), **offer.environment}
    logger.debug("%s", shlex.join(command))
    process = subprocess.Popen(command, pass_fds=[lock, *offer.descriptors], env=environment)
    try:
        return process.wait()
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
    page = study.layout.leaderboard / "leaderboard.md"
    if not failed:
        typer.echo(page.read_text(encoding="utf-8"))
    else:
        from benchmark.commands.leaderboard import build

        try:
            typer.echo(build([study], allow_mixed=False)[0])
        except CrosstalkError as error:
            logger.error("error: %s", error)
    if page.is_file():
        index = page.with_name("index.html")
        typer.echo(f"Leaderboard: {relative(page)}, to look at: {relative(index)}")
