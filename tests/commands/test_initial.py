"""A few answers of the initial policy are kept with each run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas
import pytest

from benchmark.commands.jobs.initial import PROBLEMS, keep_initial
from benchmark.study import Cell
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.names import COMPLETIONS
from benchmark.tracking.run import CellRun


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """A cell whose initial policy was evaluated on 20 problems with two completions each."""
    (tmp_path / "baseline").mkdir()
    (tmp_path / "cell").mkdir()
    rows = [
        {"problem": f"p{i}", "sample": s, "completion": f"{i}/{s}"}
        for i in range(20)
        for s in (0, 1)
    ]
    pandas.DataFrame(rows).to_parquet(tmp_path / "baseline" / COMPLETIONS)
    layout = SimpleNamespace(baseline=lambda model, objectives: tmp_path / "baseline")
    study = SimpleNamespace(layout=layout)
    made = SimpleNamespace(study=study, model="m", objective_set="o", folder=tmp_path / "cell")
    return cast("Cell", made)


def kept(cell: Cell) -> list[Any]:
    stored: list[Any] = []
    keep_initial(cell, cast("CellRun", SimpleNamespace(artifact=stored.append)))
    return stored


def test_the_first_answers_of_the_first_problems_are_kept(cell: Cell) -> None:
    assert kept(cell) == [cell.folder / INITIAL]
    found = pandas.read_parquet(cell.folder / INITIAL)
    assert list(found["completion"]) == [f"{i}/0" for i in range(PROBLEMS)]


def test_nothing_is_kept_where_the_initial_policy_is_gone(cell: Cell) -> None:
    (cell.study.layout.baseline("m", "o") / COMPLETIONS).unlink()
    assert kept(cell) == []
