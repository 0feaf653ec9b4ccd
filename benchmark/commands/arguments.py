"""Arguments that several commands share, and the studies and cells that they name.

Importing this is cheap: what reads a study is imported when one is read.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.common.errors import unknown
from benchmark.common.paths import project_root

if TYPE_CHECKING:
    from benchmark.study.cells import Cell
    from benchmark.study.study import Study

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
QUICK = "quick"  # the study that is meant where none is named


def load(study: str) -> "Study":
    """Read a study by its name or path."""
    from benchmark.study.study import Study

    return Study.load(study, project_root())


def load_for(study: str, model: str, objectives: str) -> "Study":
    """Read a study, one cell of which at least has this model and objective set."""
    loaded = load(study)
    known = {f"{cell.model}/{cell.objective_set}" for cell in loaded.cells}
    if f"{model}/{objectives}" not in known:
        raise unknown("model and objective set", f"{model}/{objectives}", known, loaded.where)
    return loaded


def load_cell(study: str, cell: str) -> "Cell":
    """Read a study and return one of its cells."""
    return load(study).cell(cell)
