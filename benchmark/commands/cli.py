"""``crosstalk …``: every stage of the workflow, and what a user asks of a study, as a command.

The commands are thin, and import what they need when they run: only training pays for TRL.
"""

import errno
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.cli_results import compare, leaderboard, publish, verify
from benchmark.commands.jobs import gpus as gpu_leases
from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.paths import project_root
from benchmark.common.termination import die_with_parent, terminable
from benchmark.tracking.quiet import quiet as quiet_mlflow

if TYPE_CHECKING:
    from benchmark.study import Study

USER_ERROR = 2  # exit status after a one-line error

app = typer.Typer(
    name="crosstalk",
    help="A reproducible benchmark of cross-objective interference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
StudyName = Annotated[str, typer.Argument(help="A study's name, or the path of its YAML file.")]
CellId = Annotated[str, typer.Argument(help="<model>/<objectives>/<algorithm>/seed<k>")]
Hash = Annotated[
    str | None,
    typer.Option("--hash", metavar="HASH", help="Of the workflow: refuse to make another result."),
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Where jobs run: default, gpu, slurm, kubernetes, or a profile's folder.",
    ),
]


class Listing(StrEnum):
    """What ``crosstalk list`` can list."""

    MODELS = "models"
    ALGORITHMS = "algorithms"
    OBJECTIVES = "objectives"
    STUDIES = "studies"


@app.callback()
def options(
    context: typer.Context,
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
    given_gpus: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Refuse to run on fewer GPUs than N."),
    ] = None,
) -> None:
    """A reproducible benchmark of cross-objective interference."""
    if end_with_parent:
        die_with_parent()
    _see_gpus(context, lease_gpus, given_gpus)


@app.command("list")
def list_(what: Annotated[Listing, typer.Argument()]) -> None:
    """List the models, algorithms, objectives or studies there are."""
    from benchmark.commands.listing import rows

    for row in rows(what.value, project_root()):
        typer.echo(row)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check(
    context: typer.Context,
    study: StudyName = "quick",
    profile: ProfileName = "",
    generation_rate: Annotated[
        float, typer.Option(min=1, help="Tokens/s a GPU generates with 1.5 billion parameters.")
    ] = 10_000,
    training_rate: Annotated[
        float, typer.Option(min=1, help="Tokens/s a GPU trains such a model on.")
    ] = 10_000,
    filled: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of max_tokens that completions take.")
    ] = 0.5,
) -> None:
    """Check a study and everything it names, without running anything.

    Says what has to be downloaded, and what GPU memory and GPU-hours it takes. With a profile: also
    whether the study can run there; further arguments are Snakemake's.
    """
    mistyped = [name for name in (study, *context.args) if name.startswith("-")]
    if mistyped and not profile:  # Snakemake is not asked, so nothing else would tell
        raise typer.BadParameter(f"No such option: {mistyped[0]}", context)
    loaded = _study(study)
    if profile:
        from benchmark.commands.jobs.profiles import Profile

        Profile.load(profile).check(loaded, context.args)
    from benchmark.commands.check import report
    from benchmark.study.costs import Assumptions

    lines = report(loaded, Assumptions(generation_rate, training_rate, filled))
    typer.echo(f"{loaded.where}: {len(loaded.cells)} cells, nothing wrong")
    for line in lines:
        typer.echo(line)


@app.command()
def cells(study: StudyName = "quick") -> None:
    """Print the cells of a study with their hashes."""
    for cell in _study(study).cells:
        typer.echo(f"{cell.hash}  {cell.id}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    study: StudyName = "quick",
    profile: ProfileName = "default",
) -> None:
    """Run a whole study through Snakemake, which gets any further arguments.

    Picks up a run that was killed where it stopped, and prints the leaderboard at the end.
    """
    loaded = _study(study)
    from benchmark.commands.run import run_study

    sys.exit(run_study(loaded, context.args, profile))


@app.command()
def prepare(
    study: StudyName = "quick",
    model: Annotated[
        str | None, typer.Option(help="Only this entry of models.yaml, whatever the study.")
    ] = None,
    hash_: Hash = None,
) -> None:
    """Make ready all that a study needs: its data, the tracking store and its models.

    What is on the hub is downloaded, once: the study runs offline afterwards.
    """
    from benchmark.commands.prepare import prepare, prepare_study

    if model is not None:
        prepare(project_root(), model, hash_)
    else:
        prepare_study(_study(study))


@app.command()
def tracking(study: StudyName) -> None:
    """Create the tracking store and the study's experiment, and download the task's data."""
    loaded = _study(study)
    from benchmark.commands.prepare import prepare_task, prepare_tracking

    prepare_task(loaded)
    prepare_tracking(loaded)


@app.command()
def baseline(study: StudyName, model: str, objectives: str, hash_: Hash = None) -> None:
    """Evaluate a model's initial policy on an objective set."""
    loaded = _study_of(study, model, objectives, hash_)
    _check_unchanged(hash_, loaded.baseline_hash(model, objectives), f"{model}/{objectives}")
    _quieten()
    from benchmark.commands.baseline import evaluate_initial

    evaluate_initial(loaded, model, objectives)


@app.command()
def probe(study: StudyName, model: str, objectives: str, hash_: Hash = None) -> None:
    """Measure the geometry of a model's initial policy on an objective set."""
    loaded = _study_of(study, model, objectives, hash_)
    _check_unchanged(hash_, loaded.probe_hash(model, objectives), f"{model}/{objectives}")
    _quieten()
    from benchmark.commands.probe import probe_model

    probe_model(loaded, model, objectives)


@app.command()
def train(study: StudyName, cell: CellId, hash_: Hash = None) -> None:
    """Train one cell; a cell that was interrupted resumes from its last checkpoint."""
    chosen = _study(study, hash_).cell(cell)
    _check_unchanged(hash_, chosen.training_hash, cell)
    _quieten()
    from benchmark.commands.train import train

    train(chosen)


@app.command()
def evaluate(study: StudyName, cell: CellId, hash_: Hash = None) -> None:
    """Evaluate one trained cell from its checkpoint."""
    chosen = _study(study, hash_).cell(cell)
    _check_unchanged(hash_, chosen.hash, cell)
    _quieten()
    from benchmark.commands.evaluate import evaluate

    evaluate(chosen)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def diagnose(
    context: typer.Context,
    study: StudyName = "quick",
    cell: Annotated[str | None, typer.Argument(help="One cell, here and now.")] = None,
    profile: ProfileName = "default",
    hash_: Hash = None,
) -> None:
    """Put the covariance law to the test on trained cells, and say why objectives fell.

    Without a cell: on all of the study's, through Snakemake, which gets any further arguments; what
    has to be trained or evaluated first is, and the report is printed at the end.
    """
    if cell is not None and not cell.startswith("-"):
        chosen = _study(study, hash_).cell(cell)
        _check_unchanged(hash_, chosen.diagnosis_hash, cell)
        _quieten()
        from benchmark.commands.diagnose import diagnose

        diagnose(chosen)
        return
    loaded = _study(study)
    from benchmark.commands.run import diagnose_study

    arguments = [*([cell] if cell else []), *context.args]
    sys.exit(diagnose_study(loaded, arguments, profile))


@app.command()
def report(study: StudyName = "quick") -> None:
    """Write and print what the diagnosis of a study's cells found, from their tracked runs."""
    loaded = _study(study)
    from benchmark.commands.report import build

    typer.echo(build(loaded))


for command in (leaderboard, publish, verify, compare):
    app.command()(command)


@app.command()
def law(
    problems: Annotated[
        int,  # intervals need some; memory allows so many
        typer.Option(min=10, max=20_000, metavar="N", help="How many random problems."),
    ] = 2000,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of the random generator.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Default: results/law.")
    ] = None,
) -> None:
    """Measure the covariance law on policies small enough to enumerate, with figures."""
    from benchmark.commands.law import law

    typer.echo(law(problems, seed, out or project_root() / "results" / "law"))


def _see_gpus(context: typer.Context, leased: int | None, given: int | None) -> None:
    """Settle which GPUs this process sees, before any library looks."""
    if given:
        gpu_leases.check_count(given, gpu_leases.machine_gpus(), "--given-gpus")
    if leased is None:
        lease = gpu_leases.hold_inherited()
    else:
        pool = gpu_leases.machine_gpus() if leased else ()
        lease = gpu_leases.lease_gpus(leased, pool, gpu_leases.lease_folder())
        os.environ.update(lease.environment)
    context.call_on_close(lease.close)


def _study(name: str, hash_: str | None = None) -> "Study":
    """Return a study; the workflow, which passes a job its hash, has checked it."""
    from benchmark.study import check, load_study

    study = load_study(name)
    if hash_ is None:
        check(study)
    return study


def _study_of(name: str, model: str, objectives: str, hash_: str | None) -> "Study":
    """Return the study, some cell of which has this model and objective set."""
    loaded = _study(name, hash_)
    known = {f"{cell.model}/{cell.objective_set}" for cell in loaded.cells}
    if f"{model}/{objectives}" not in known:
        raise unknown("model and objective set", f"{model}/{objectives}", known, loaded.where)
    return loaded


def _check_unchanged(hash_: str | None, present: str, what: str) -> None:
    from benchmark.study.digests import check_unchanged

    check_unchanged(hash_, present, what)


def _quieten() -> None:
    """Keep the libraries' own bars and notes out of a cell's log; to be called before importing."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def main() -> None:
    """Run the command line; problems a user can put right take one line and exit status 2."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    quiet_mlflow()
    try:
        with terminable():
            app()
    except CrosstalkError as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
        _fail(f"{error}{notes}")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _fail(f"{error.filename or project_root()}: no space left on the disk")


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(USER_ERROR)
