"""Results in Python: of a study, of a published folder or of a tracking store, as tidy frames.

    results = load("quick")                          # a study of this project, from its store
    results = load("results/leaderboards/quick")     # what was published, and nothing else
    results = load("sqlite:///mlflow.db", study="quick")
    results.runs, results.objectives, results.curves, results.costs, results.completions
    results.columns("objectives")                    # what each column means, and its unit

``examples/results.py`` filters, draws and compares them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import pandas

from benchmark.commands.leaderboard import collect_frames, store_of
from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.files import scratch_folder
from benchmark.common.paths import relative
from benchmark.leaderboard.files import PROVENANCE
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.dictionary import COLUMNS
from benchmark.leaderboard.reading import read_table, runs_and_objectives, typed
from benchmark.leaderboard.results import costs, curves, rows
from benchmark.leaderboard.results.origins import provenance_record
from benchmark.leaderboard.results.stored import stored_cells
from benchmark.leaderboard.results.table import collect
from benchmark.leaderboard.schema import FIRST, Provenance, read_provenance, version_of
from benchmark.scalarizers import SCALARIZERS
from benchmark.study import Study, load_study
from benchmark.study import check as check_study
from benchmark.tracking import names
from benchmark.tracking.reading import download, run_curves, studies

__all__ = ["Results", "load"]

TABLES = ("runs", "objectives", "curves", "costs", "completions")
SPENT = list(costs.summarise_costs(pandas.DataFrame()).columns)
TRACKED = ("validation/", "train/", "covariance/", "correlation/", "scalarizer/", "gradient/")
LONG = ["cell", "metric", "step", "measured"]
MEANINGS = {  # of the columns that no published table has; column -> meaning, unit
    "cell": ("the cell, <model>/<objectives>/<algorithm>/seed<k>", "name"),
    "run_id": ("the run in MLflow", "text"),
    "cell_hash": ("digest of all that determines the result", "text"),
    "git_commit": ("commit the run was made from; -dirty if files differed from it", "text"),
    "hardware_class": ("kinds of GPU, or CPU", "text"),
    "start_time": ("start of training", "time, UTC"),
    "end_time": ("end of training or evaluation", "time, UTC"),
    "metric": ("what was measured, such as validation/<objective>", "name"),
    "measured": ("its value", "that of the metric"),
    "problem": ("id of the test problem", "name"),
    "sample": ("which of the problem's completions", "integer"),
    "prompt": ("what the model was given, without its chat template", "text"),
    "answer": ("reference answer of the problem", "text"),
    "completion": ("what the trained model wrote", "text"),
}


@dataclass(frozen=True)
class Results:
    """The results of a study.

    Attributes:
        source: Where they come from, in words.
        runs: A row per run that counts: its place in the matrix, what it came to, its provenance.
        objectives: A row per run and objective: before, after, the change, the verdicts.
        costs: A row per model, objective set and algorithm: seconds, tokens, memory, means over
            runs.
    """

    source: str
    runs: pandas.DataFrame
    objectives: pandas.DataFrame
    costs: pandas.DataFrame
    _curves: Callable[[], pandas.DataFrame] = field(repr=False)
    _completions: Callable[[], pandas.DataFrame] = field(repr=False)

    @cached_property
    def curves(self) -> pandas.DataFrame:
        """A row per run, metric and step, read when first asked for.

        From a published folder these are the curves of validation, from a store also those of
        training rewards, covariances, the scalarizer's weights and gradients.

        Raises:
            CrosstalkError: The folder was published by a version that wrote no curves.
        """
        return self._curves()

    @cached_property
    def completions(self) -> pandas.DataFrame:
        """A row per test completion of each run, with a column ``reward/<objective>`` for each.

        Read from the tracking store when first asked for.

        Raises:
            CrosstalkError: The results are a published folder's, which holds none, or a run's are
                gone.
        """
        return self._completions()

    def columns(self, table: str) -> pandas.DataFrame:
        """Return the columns of a table: ``column``, ``meaning`` and ``unit``."""
        if table not in TABLES:
            raise unknown("table", table, TABLES)
        frame: pandas.DataFrame = getattr(self, table)
        told = [(column, *_meaning(str(column))) for column in frame.columns]
        return pandas.DataFrame(told, columns=["column", "meaning", "unit"])


def load(
    source: str | Path | Study,
    *,
    study: str | None = None,
    uri: str | None = None,
    allow_mixed: bool = False,
) -> Results:
    """Load results.

    Args:
        source: A published folder (which comes first), the address of an MLflow store, or a study:
            its name, its file, or what :func:`benchmark.study.load_study` returns. Of a study the
            runs of its present code and settings count, of a store alone each cell's latest
            complete run.
        study: Which study of a store; it need not be said of a store that holds one.
        uri: The store of a study, if it is not the usual one.
        allow_mixed: Whether runs of different provenance may stand side by side.

    Raises:
        CrosstalkError: There is no such folder, store or study, or no result in it, or what was
            published is not whole or of a version not known here.
    """
    if isinstance(source, Study):
        return _of_study(source, uri, allow_mixed=allow_mixed)
    if (Path(source) / PROVENANCE).is_file():
        return _published(Path(source))
    if isinstance(source, str) and "://" in source:
        return _stored(source, study, allow_mixed=allow_mixed)
    is_study = isinstance(source, str) or source.suffix in (".yaml", ".yml")
    if not is_study or Path(source).is_dir():
        raise CrosstalkError(
            f"{relative(Path(source))}: expected a published folder, which holds {PROVENANCE}, "
            "got none"
        )
    loaded = load_study(str(source))
    check_study(loaded)
    return _of_study(loaded, uri, allow_mixed=allow_mixed)


def _published(folder: Path) -> Results:
    where = relative(folder)
    provenance = read_provenance(folder)
    runs, objectives = runs_and_objectives(
        read_table(folder, "cells.csv", rows.COLUMNS), provenance, where
    )
    spent = typed(read_table(folder, "cost.csv", SPENT))
    later = (partial(_published_curves, folder, runs), partial(_no_completions, where))
    return Results(f"published folder {where}", runs, objectives, spent, *later)


def _published_curves(folder: Path, runs: pandas.DataFrame) -> pandas.DataFrame:
    if version_of(folder) == FIRST:
        raise CrosstalkError(f"{relative(folder)}: curves: a version published it that wrote none")
    found = read_table(folder, "curves.csv", curves.COLUMNS)
    merged = found.merge(runs[["cell", *curves.AXES]], on=curves.AXES, how="left")
    return typed(merged[LONG])


def _no_completions(where: str) -> pandas.DataFrame:
    raise CrosstalkError(
        f"{where}: completions: expected a study or its tracking store, got a published folder, "
        "which holds none"
    )


def _of_study(study: Study, uri: str | None, *, allow_mixed: bool) -> Results:
    frames = collect_frames([study], allow_mixed=allow_mixed, uri=uri)
    return _tracked(f"study {study.name}", frames, store_of([study], uri))


def _stored(uri: str, study: str | None, *, allow_mixed: bool) -> Results:
    found = studies(uri)
    if study is None and len(found) != 1:
        raise CrosstalkError(f"{uri}: study: expected one of {', '.join(found)}, got none")
    name = study or found[0]
    expected = stored_cells(uri, name, _is_reference)
    table = collect(uri, name, expected, allow_mixed=allow_mixed)
    return _tracked(f"study {name} of a store", Frames(table), uri)


def _is_reference(scalarizer: str) -> bool:
    """Say whether a scalarizer of the package is a reference; of others nobody knows here."""
    return scalarizer in SCALARIZERS and SCALARIZERS[scalarizer].reference


def _tracked(source: str, frames: Frames, uri: str) -> Results:
    table = frames.results
    missing = dict(table.missing)
    record = provenance_record(table.study, table.origins, missing, expected=table.expected)
    provenance = Provenance.model_validate(record)
    runs, objectives = runs_and_objectives(table.cells, provenance, source)
    ids = dict(zip(runs["run_id"], runs["cell"], strict=True))
    later = (partial(_curves, uri, ids), partial(_completions, uri, ids))
    return Results(source, runs, objectives, typed(frames.costs), *later)


def _curves(uri: str, cells: dict[str, str]) -> pandas.DataFrame:
    found = run_curves(uri, cells, TRACKED).rename(columns={"value": "measured"})
    return found.assign(cell=found["run_id"].map(cells))[LONG]


def _completions(uri: str, cells: dict[str, str]) -> pandas.DataFrame:
    return pandas.concat(_downloaded(uri, cells), ignore_index=True)


def _downloaded(uri: str, cells: dict[str, str]) -> Iterable[pandas.DataFrame]:
    for run_id, cell in cells.items():
        with scratch_folder("crosstalk-results-") as folder:
            file = download(uri, run_id, names.COMPLETIONS, folder)
            if file is None:
                raise CrosstalkError(f"run {run_id} of {cell}: its {names.COMPLETIONS} is gone")
            frame = pandas.read_parquet(file)
            frame.insert(0, "cell", cell)
            yield frame


def _meaning(column: str) -> tuple[str, str]:
    if column.startswith(names.REWARD):
        objective = column.removeprefix(names.REWARD)
        return f"reward of the completion under {objective}, empty where it does not apply", "value"
    return MEANINGS.get(column) or COLUMNS[column]
