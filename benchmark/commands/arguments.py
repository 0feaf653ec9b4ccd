"""Arguments that several commands share, and the studies and cells that they name.

Importing this is cheap: what reads a study is imported when one is read.
"""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.common.errors import unknown

if TYPE_CHECKING:
    from benchmark.study import Cell, Study

StudyName = Annotated[str, typer.Argument(help="A study's name, or the path of its YAML file.")]
CellId = Annotated[str, typer.Argument(help="<model>/<objectives>/<algorithm>/seed<k>")]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Where jobs run: default, gpu, slurm, kubernetes, or a profile's folder.",
    ),
]
Hash = Annotated[
    str | None,
    typer.Option("--hash", metavar="HASH", help="Of the workflow: refuse to make another result."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
QUICK = "quick"  # the study that is meant where none is named


def load(study: str, hash_: str | None = None) -> "Study":
    """Read a study by its name or path; check it unless the workflow, which passes a hash, has."""
    from benchmark.study import check, load_study

    loaded = load_study(study)
    if hash_ is None:
        check(loaded)
    return loaded


def load_unchecked(study: str) -> "Study":
    """Read a study that need not be valid to be looked at."""
    from benchmark.study import load_study

    return load_study(study)


def load_for(study: str, model: str, objectives: str, hash_: str | None) -> "Study":
    """Read a study, one cell of which at least has this model and objective set."""
    loaded = load(study, hash_)
    known = {f"{cell.model}/{cell.objective_set}" for cell in loaded.cells}
    if f"{model}/{objectives}" not in known:
        raise unknown("model and objective set", f"{model}/{objectives}", known, loaded.where)
    return loaded


def load_cell(study: str, cell: str, hash_: str | None) -> "Cell":
    """Read a study and return one of its cells."""
    return load(study, hash_).cell(cell)


def check_unchanged(hash_: str | None, present: str, what: str) -> None:
    """Raise if the workflow asked for another result than the present one."""
    from benchmark.study import digests

    digests.check_unchanged(hash_, present, what)


def echo_json(value: Any) -> None:
    """Print plain JSON values."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def cell_record(cell: "Cell") -> dict[str, Any]:
    """Return what `crosstalk cells --json` says of a cell."""
    return {
        "id": cell.id,
        "hash": cell.hash,
        "model": cell.model,
        "objectives": cell.objective_set,
        "algorithm": cell.algorithm.id,
        "seed": cell.seed,
    }
