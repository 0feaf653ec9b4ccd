"""Read back what was published, and lay results out as tidy frames: runs, and their objectives."""

from collections.abc import Sequence
from pathlib import Path

import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import relative
from benchmark.common.tables import plain
from benchmark.leaderboard.pages.dictionary import COLUMNS, TRUTH
from benchmark.leaderboard.results.origins import ROW
from benchmark.leaderboard.schema import FIRST, TYPES, Provenance, version_of

OF_RUNS = [  # what the rows of a run say alike
    "score_delta",
    "score_delta_se",
    "worst_change",
    "hypervolume_gain",
    "delta_m",
    "tokens",
    "tokens_initial",
    "max_tokens",
    "prompts",
    "conflict_rate",
    "magnitude_similarity",
    "environment",
]
AXES = ["study", "model", "objectives", "estimator", "algorithm", "reference", "seed"]
ORIGIN = [
    "run_id",
    "cell_hash",
    "git_commit",
    "hardware_class",
    "start_time",
    "end_time",
]


def read_table(folder: Path, name: str, columns: Sequence[str]) -> pandas.DataFrame:
    """Return a CSV file of a published folder with these columns, each of its type.

    Numbers have the six significant digits that were published. A column that the last version did
    not have is empty in a folder of that version.

    Raises:
        CrosstalkError: The file is not there or cannot be read, or lacks a column.
    """
    file = folder / name
    where = relative(file)
    texts = [column for column in COLUMNS if _is_text(column)]
    empty = {column: [""] for column in COLUMNS if not _is_text(column)}
    try:
        frame = pandas.read_csv(
            file, dtype=dict.fromkeys(texts, str), na_values=empty, keep_default_na=False
        )
    except FileNotFoundError as error:
        raise CrosstalkError(f"{where}: no such file: the published folder is not whole") from error
    except (OSError, ValueError) as error:
        raise CrosstalkError(f"{where}: cannot be read: {error}") from error
    absent = [column for column in columns if column not in frame]
    if absent and version_of(folder) != FIRST:
        raise CrosstalkError(f"{where}: columns: expected {', '.join(absent)}, got none")
    frame = frame.reindex(columns=list(columns))
    return frame.assign(**{c: frame[c].map(plain) for c in columns if _is_text(c)})


def typed(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return the frame with each column of its type, whichever source it comes from.

    Whole numbers and truths are such in columns without a gap; other numbers are floating.
    """
    return frame.assign(**{str(name): _typed(frame[name]) for name in frame.columns})


def _typed(column: pandas.Series) -> pandas.Series:
    unit = COLUMNS[str(column.name)][1] if column.name in COLUMNS else ""
    if not unit:
        return column
    if _is_text(str(column.name)):
        return column.fillna("").astype(str)
    if unit == TRUTH:
        return column.astype(bool) if column.notna().all() else column
    number = column.astype(float)
    whole = unit == "integer" and (number % 1 == 0).all()
    return number.astype("int64") if whole else number


def runs_and_objectives(
    cells: pandas.DataFrame, provenance: Provenance, where: str
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Return a row per run, with where it comes from, and one per run and objective.

    Args:
        cells: A row per run and objective, as ``cells.csv`` holds them.
        provenance: Of the same runs.
        where: What messages call the source.

    Raises:
        CrosstalkError: The two are not of the same runs.
    """
    keys = list(ROW)
    rows = [
        cell.row.model_dump() | {"cell": name} | {key: getattr(cell, key) for key in ORIGIN}
        for name, cell in provenance.cells.items()
    ]
    origins = pandas.DataFrame(rows, columns=[*keys, "cell", *ORIGIN])
    told = cells[[*AXES, *OF_RUNS]].drop_duplicates(keys)
    if sorted(map(tuple, told[keys].to_numpy())) != sorted(map(tuple, origins[keys].to_numpy())):
        raise CrosstalkError(
            f"{where}: expected the same runs in provenance.json and cells.csv, got "
            f"{len(origins)} and {len(told)}, or others"
        )
    named = origins[[*keys, "cell"]]
    runs = told.merge(origins, on=keys, how="left", validate="one_to_one")
    for time in ("start_time", "end_time"):
        runs[time] = pandas.to_datetime(runs[time], utc=True, format="ISO8601")
    objectives = cells.drop(columns=OF_RUNS).merge(named, on=keys, how="left")
    order = ["cell", *(column for column in objectives if column != "cell")]
    return typed(runs[["cell", *AXES, *OF_RUNS, *ORIGIN]]), typed(objectives[order])


def _is_text(column: str) -> bool:
    return TYPES.get(COLUMNS[column][1]) == ("string",)
