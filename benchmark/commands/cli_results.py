"""The commands of leaderboards: building, publishing, verifying and comparing."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.arguments import (
    QUICK,
    Hash,
    Json,
    StudyName,
    check_unchanged,
    echo_json,
    load,
)

DIFFERENT = 1  # exit status of `verify` where something differs

Mixed = Annotated[
    bool, typer.Option("--allow-mixed", help="Mix runs of different provenance, labelled.")
]
Uri = Annotated[
    str | None, typer.Option(help="The MLflow store or server; else MLFLOW_TRACKING_URI.")
]


class Format(StrEnum):
    """In which formats ``crosstalk leaderboard`` writes the tables."""

    MD = "md"
    CSV = "csv"
    LATEX = "latex"
    HTML = "html"
    ALL = "all"


def leaderboard(
    studies: Annotated[
        list[str] | None, typer.Argument(help="Studies; their runs are joined.")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Which tables to write.")
    ] = Format.ALL,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; repeatable.")] = None,
    objectives: Annotated[list[str] | None, typer.Option(help="Only this objective set.")] = None,
    algorithm: Annotated[list[str] | None, typer.Option(help="Only this algorithm.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Only this seed.")] = None,
    allow_mixed: Mixed = False,
    tracking_uri: Uri = None,
    hash_: Hash = None,
    json: Json = False,
) -> None:
    """Build the leaderboard of studies from their tracked runs, print it and say where it is."""
    loaded = [load(name, hash_) for name in studies or [QUICK]]
    if hash_ is not None:  # of the workflow, which builds one study's
        check_unchanged(hash_, loaded[0].results_hash, f"leaderboard of {loaded[0].name}")
    from benchmark.commands.leaderboard import build
    from benchmark.common.paths import relative
    from benchmark.leaderboard.files import FORMATS, INDEX
    from benchmark.leaderboard.results.cells import Choice

    chosen = Choice(model or (), objectives or (), algorithm or (), seed or ())
    formats = FORMATS if format_ is Format.ALL else (format_.value,)
    board = build(loaded, allow_mixed=allow_mixed, choice=chosen, formats=formats, uri=tracking_uri)
    text, folder = board.page, board.folder
    if json:
        echo_json(board.record())
        return
    typer.echo(text)
    typer.echo(f"Leaderboard: {relative(folder)}{os.sep}")
    if (folder / INDEX).is_file():
        typer.echo(f"To look at: {relative(folder / INDEX)}")


def publish(
    study: StudyName = QUICK,
    allow_mixed: Mixed = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Publish without the missing cells, named.")
    ] = False,
    tracking_uri: Uri = None,
) -> None:
    """Check a study's results and write all that its publication holds."""
    loaded = load(study)
    from benchmark.commands.publish import publish
    from benchmark.common.paths import relative

    published = publish(
        loaded, allow_mixed=allow_mixed, allow_missing=allow_missing, uri=tracking_uri
    )
    for file in published.files:
        typer.echo(relative(file))
    if published.uncommitted:
        typer.echo(
            f"warning: {published.uncommitted} runs were made from code that no commit holds; "
            "nobody can run it again",
            err=True,
        )


def verify(study: StudyName = QUICK, allow_mixed: Mixed = False, tracking_uri: Uri = None) -> None:
    """Recompute a study's published tables from the tracked runs and say what differs."""
    loaded = load(study)
    from benchmark.commands.publish import verify

    found = verify(loaded, allow_mixed=allow_mixed, uri=tracking_uri)
    for line in found:
        typer.echo(line)
    if found:
        sys.exit(DIFFERENT)
    typer.echo(f"{loaded.where}: the published tables are those of the tracked runs")


def submit(
    study: StudyName = QUICK,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="New; else results/submissions/STUDY.")
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="NAME", help="Who made the results; else git's user.name.")
    ] = "",
    allow_mixed: Mixed = False,
    tracking_uri: Uri = None,
) -> None:
    """Write a published study into one folder to send to others, once it is verified."""
    loaded = load(study)
    from benchmark.commands.contribute import submit
    from benchmark.common.paths import relative

    files = submit(loaded, to, by, allow_mixed=allow_mixed, uri=tracking_uri)
    typer.echo(f"{relative(files[0].parent)}: {len(files)} files, to be sent as they are")


def join(
    folders: Annotated[list[Path], typer.Argument(help="Submissions, or published folders.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="New or empty: where the board goes.")],
) -> None:
    """Put what several people published of one study side by side, with who and what made it."""
    from benchmark.commands.contribute import join
    from benchmark.common.errors import USER_ERROR
    from benchmark.common.paths import relative

    files, refused = join(folders, to)
    for line in refused:
        typer.echo(f"error: {line}", err=True)
    if refused:
        sys.exit(USER_ERROR)
    for file in files:
        typer.echo(relative(file))


def compare(
    one: Annotated[str, typer.Argument(help="A run's id, or a cell's.")],
    other: Annotated[str, typer.Argument(help="Another's.")],
    study: Annotated[str, typer.Option(help="The study of cells: a name, or a YAML file.")] = QUICK,
    tracking_uri: Uri = None,
) -> None:
    """Print two runs side by side: metrics with paired intervals, settings that differ."""
    loaded = load(study)
    from benchmark.commands.compare import compare

    typer.echo(compare(loaded, one, other, uri=tracking_uri))
