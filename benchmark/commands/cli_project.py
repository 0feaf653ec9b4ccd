"""The commands of a project: making one and what it holds, and saying how far its studies are."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.arguments import QUICK, Json, StudyName, echo_json, load_unchecked


def init(
    folder: Annotated[Path, typer.Argument(help="New or empty; its name is the study's.")],
) -> None:
    """Make a project folder: models, a study to start from, a README, and what git ignores."""
    from benchmark.commands.init import init
    from benchmark.common.paths import relative

    name = init(folder)
    place = relative(folder.resolve())
    enter = "" if place == "." else f"cd {shlex.quote(place)} && "
    typer.echo(f"{place}: a project with the study {name}")
    typer.echo(f"To try it: {enter}crosstalk run smoke")


class Kind(StrEnum):
    """What ``crosstalk new`` can write."""

    STUDY = "study"
    SCALARIZER = "scalarizer"
    OBJECTIVE = "objective"
    TASK = "task"
    MODEL = "model"


def new(
    kind: Kind,
    name: Annotated[str, typer.Argument(help="Of the study or model, or of the Python module.")],
) -> None:
    """Write a file that runs, with its test, into the project: something new to start from."""
    from benchmark.commands.new import new
    from benchmark.common.paths import relative

    made = new(kind.value, name, Path.cwd())
    for file in made.files:
        typer.echo(relative(file))
    typer.echo(f"Next: {made.next}")


def status(study: StudyName = QUICK, json: Json = False) -> None:
    """Say which cells are done, running, failed or left, and how long it will take; at any time.

    The time is expected from the jobs that have ended, with as many at a time as run now.
    """
    loaded = load_unchecked(study)
    from benchmark.commands.status import Watch

    plan = loaded.file.diagnosis
    found = Watch(loaded, plan is not None and plan.automatic).status()
    if json:
        echo_json(found.record())
        return
    for line in found.lines():
        typer.echo(line)
