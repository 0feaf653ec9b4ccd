"""``crosstalk …``: what a person asks of a study, and every job of the workflow, as a command.

The commands are thin, and import what they need when they run: only training pays for TRL.
"""

import errno
import logging
import os
import sys
from enum import StrEnum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from benchmark import __version__
from benchmark.commands import cli_jobs, cli_project, cli_results
from benchmark.commands.arguments import (
    QUICK,
    Hash,
    Json,
    ProfileName,
    StudyName,
    cell_record,
    check_unchanged,
    echo_json,
    load,
)
from benchmark.commands.jobs import failures, gpus
from benchmark.commands.jobs.usage import write_usage
from benchmark.common.errors import USER_ERROR, CrosstalkError
from benchmark.common.paths import lookup_root, project_root
from benchmark.common.termination import die_with_parent, terminable
from benchmark.tracking.quiet import quiet as quiet_tracking

ENVIRONMENT = {  # read by the libraries on import
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
NO_BARS = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
JOBS = (  # modules that the workflow's jobs run
    *("prepare", "calibrate", "baseline", "probe", "train", "evaluate", "diagnose"),
    *("report", "leaderboard"),
)
FOR_SNAKEMAKE = {"allow_extra_args": True, "ignore_unknown_options": True}

logger = logging.getLogger("benchmark")
app = typer.Typer(
    name="crosstalk",
    help="A reproducible benchmark of cross-objective interference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Listing(StrEnum):
    """What ``crosstalk list`` can list."""

    MODELS = "models"
    ALGORITHMS = "algorithms"
    OBJECTIVES = "objectives"
    STUDIES = "studies"
    PROFILES = "profiles"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"crosstalk {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more, and show where an error was raised.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but results, warnings and errors.")
    ] = False,
    end_with_parent: Annotated[
        bool,
        typer.Option(
            "--end-with-parent", help="End when the calling process does, however it ends (Linux)."
        ),
    ] = False,
    lease_gpus: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Wait for N of the machine's GPUs and see no other; without it, see all.",
        ),
    ] = None,
    lease_gpu_percent: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="The same in hundredths: below 100, wait for room on one GPU and use no more.",
        ),
    ] = None,
    given_gpus: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Refuse to run on fewer GPUs than N."),
    ] = None,
    usage: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write there what time and memory the command took."),
    ] = None,
) -> None:
    """A reproducible benchmark of cross-objective interference."""
    if usage is not None:
        context.call_on_close(partial(write_usage, usage))
    if verbose or quiet:
        logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    if end_with_parent:
        die_with_parent()
        failures.recall(sys.argv[1:])
    whole = None if lease_gpus is None else lease_gpus * gpus.WHOLE
    _see_gpus(context, lease_gpu_percent if whole is None else whole, given_gpus)


def _see_gpus(context: typer.Context, leased: int | None, given: int | None) -> None:
    """Settle which GPUs this process sees, in hundredths, before any library looks."""
    if given:
        gpus.check_count(given, gpus.machine_gpus(), "--given-gpus")
    if leased is None:
        lease = gpus.hold_inherited()
    else:
        pool = gpus.machine_gpus() if leased else ()
        lease = gpus.lease_share(leased, pool, gpus.lease_folder())
        os.environ.update(lease.environment)
    context.call_on_close(lease.close)
    gpus.limit_memory()


@app.command("list")
def list_(what: Annotated[Listing, typer.Argument()], json: Json = False) -> None:
    """List the models, algorithms, objectives, studies or profiles there are."""
    from benchmark.commands.listing import records, rows

    if json:
        echo_json(records(what.value, lookup_root()))
        return
    for row in rows(what.value, lookup_root()):
        typer.echo(row)


@app.command()
def check(
    study: StudyName = QUICK,
    profile: ProfileName = "",
    generation_rate: Annotated[
        float | None,
        typer.Option(min=1, help="Tokens/s a GPU generates with 1.5 billion parameters."),
    ] = None,
    training_rate: Annotated[
        float | None, typer.Option(min=1, help="Tokens/s a GPU trains such a model on.")
    ] = None,
    filled: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="Share of max_tokens that completions take."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Run two steps of one cell a model here, and foretell."),
    ] = False,
    price: Annotated[
        float | None,
        typer.Option(min=0.0001, help="Of an hour of a GPU; of this machine where none is used."),
    ] = None,
    json: Json = False,
) -> None:
    """Check a study and everything it names; without --measure nothing is run.

    Says what has to be downloaded, and what time, memory and disk it takes. With a profile: also
    whether the study can run there.
    """
    loaded = load(study)
    from benchmark.commands.check import report
    from benchmark.commands.foretelling import processor_summary, rates_here
    from benchmark.commands.jobs.profiles import Profile

    gaps: list[str] = []
    if profile:
        chosen = Profile.load(profile)
        chosen.check(loaded)
        gaps = chosen.gaps()
    given = {"generation_rate": generation_rate, "training_rate": training_rate, "filled": filled}
    rates = rates_here(loaded, given)
    lines = report(loaded, rates, None if measure else price)
    lines += [f"warning: {gap}" for gap in gaps]
    if measure:
        from benchmark.commands.measuring import measured

        lines += measured(loaded, price)
    else:
        lines += processor_summary(loaded, rates, price)
    if json:
        warnings = [
            line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")
        ]
        notes = [line.strip() for line in lines if not line.startswith("warning: ")]
        counts = {"study": loaded.name, "file": loaded.where, "cells": len(loaded.cells)}
        echo_json(counts | {"warnings": warnings, "notes": notes})
        return
    typer.echo(f"{loaded.where}: {len(loaded.cells)} cells, nothing wrong")
    for line in lines:
        typer.echo(line)


@app.command()
def cells(study: StudyName = QUICK, json: Json = False) -> None:
    """Print the cells of a study with their hashes."""
    found = load(study).cells
    if json:
        echo_json([cell_record(cell) for cell in found])
        return
    for cell in found:
        typer.echo(f"{cell.hash}  {cell.id}")


@app.command(context_settings=FOR_SNAKEMAKE)
def run(context: typer.Context, study: StudyName = QUICK, profile: ProfileName = "default") -> None:
    """Run a whole study through Snakemake, which gets any further arguments.

    Picks up a run that was killed where it stopped, and prints the leaderboard at the end.
    """
    loaded = load(study)
    from benchmark.commands.run import run_study

    sys.exit(run_study(loaded, context.args, profile))


@app.command(context_settings=FOR_SNAKEMAKE)
def tune(
    context: typer.Context,
    study: StudyName = QUICK,
    profile: ProfileName = "default",
    table: Annotated[
        bool, typer.Option("--table", help="Only print what was tried, from the tracked runs.")
    ] = False,
) -> None:
    """Try settings of a study's algorithms on the validation split; write the study with the best.

    Runs through Snakemake, which gets any further arguments. The trials are a study of their own,
    and so is the result, STUDY-tuned.
    """
    loaded = load(study)
    from benchmark.commands.tune import tried, tune

    if table:
        typer.echo(tried(loaded))
        return
    sys.exit(tune(loaded, context.args, profile))


@app.command(context_settings=FOR_SNAKEMAKE)
def diagnose(
    context: typer.Context, study: StudyName = QUICK, profile: ProfileName = "default"
) -> None:
    """Put the covariance law to the test on a study's cells, and say why objectives fell.

    Runs through Snakemake, which gets any further arguments: what has to be trained or evaluated
    first is, and the report is printed at the end.
    """
    loaded = load(study)
    from benchmark.commands.run import diagnose_study

    sys.exit(diagnose_study(loaded, context.args, profile))


@app.command()
def report(study: StudyName = QUICK, hash_: Hash = None) -> None:
    """Write and print what the diagnosis of a study's cells found, from their tracked runs."""
    loaded = load(study, hash_)
    if hash_ is not None:
        check_unchanged(hash_, loaded.diagnoses_hash, f"report of {loaded.name}")
    from benchmark.commands.report import build

    typer.echo(build(loaded).page)


@app.command()
def law(
    problems: Annotated[
        int, typer.Option(min=10, max=20_000, metavar="N", help="How many random problems.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of the random generator.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", file_okay=False, help="Default: results/law."),
    ] = None,
) -> None:
    """Measure the covariance law on policies small enough to enumerate, with figures."""
    from benchmark.commands.law import law

    typer.echo(law(problems, seed, out or project_root() / "results" / "law"))


for command in (
    cli_project.init,
    cli_project.new,
    cli_project.status,
    cli_results.leaderboard,
    cli_results.publish,
    cli_results.verify,
    cli_results.submit,
    cli_results.join,
    cli_results.compare,
    cli_jobs.prepare,
    cli_jobs.baseline,
    cli_jobs.calibrate,
    cli_jobs.probe,
    cli_jobs.train,
    cli_jobs.evaluate,
):
    app.command()(command)
app.command("diagnose-cell", hidden=True)(cli_jobs.diagnose_cell)


def quiet() -> None:
    """Keep what libraries send and say of themselves out of our output; before importing them.

    A user's own settings win. Bars of downloads are drawn on a terminal, and not into a log.
    """
    for name, value in (ENVIRONMENT | ({} if sys.stderr.isatty() else NO_BARS)).items():
        os.environ.setdefault(name, value)
    quiet_tracking()


def speak() -> None:
    """Write what the package logs to stderr, a line a message."""
    logger.handlers = [logging.StreamHandler()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def preload() -> None:
    """Import what the workflow's jobs import, for processes that are forked to run them."""
    quiet()
    for name in ("tabulate", *(f"benchmark.commands.{command}" for command in JOBS)):
        import_module(name)
    from benchmark.study.digests import preload as preload_digests
    from benchmark.tracking.store import preload as preload_store

    preload_store()
    preload_digests()


def main(note: str = "") -> None:
    """Run the command line; problems a user can put right take one line and exit status 2.

    Args:
        note: What to log first, about how this process was started.
    """
    quiet()
    speak()
    if note:
        logger.info("%s", note)
    try:
        with terminable():
            app()
    except CrosstalkError as error:
        logger.debug("what went wrong, and where:", exc_info=True)
        failures.remember(error, sys.argv[1:])
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
        _fail(f"{error}{notes}")
    except RuntimeError as error:
        told = gpus.share_too_small(error)
        if told is None:
            raise
        _fail(told)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _fail(f"{error.filename or project_root()}: no space left on the disk")


def _fail(message: str) -> NoReturn:
    logger.error("error: %s", message)
    sys.exit(USER_ERROR)
