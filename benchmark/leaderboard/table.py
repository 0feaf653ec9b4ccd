"""From tracked runs to the tidy table that every leaderboard is made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas

from benchmark.errors import CrosstalkError
from benchmark.interference import drop_from_best, hypervolume_gain, interfered_with, worst_change
from benchmark.leaderboard.origins import Origin, check_unmixed, origin_of
from benchmark.tracked import run_curves, tracked_runs

PER_OBJECTIVE = {
    "initial": "test/{}/initial",
    "final": "test/{}",
    "delta": "test/{}/delta",
    "delta_se": "test/{}/delta_se",
}
PER_RUN = {
    "score_delta": "test/score/delta",
    "score_delta_se": "test/score/delta_se",
    "tokens": "test/tokens",
    "tokens_initial": "test/tokens/initial",
    "prompts": "test/prompts",
}
UNFINISHED = {
    "running": "running, or died without a word",
    "trained": "trained, not evaluated",
    "failed": "failed",
    "killed": "killed",
}


@dataclass(frozen=True)
class ExpectedCell:
    """What a study says of one of its cells.

    Attributes:
        cell_hash: Digest of all that determines its result at present.
        model: The model's id.
        objectives: The objective set's name.
        algorithm: The algorithm's id.
        seed: The training seed.
        names: The objectives of the set, in order.
        weights: Their preference weights.
        reference: Whether it trains one objective alone, as a reference for the others. Its
            algorithm's id then ends in that objective's name.
    """

    cell_hash: str
    model: str
    objectives: str
    algorithm: str
    seed: int
    names: tuple[str, ...]
    weights: tuple[float, ...]
    reference: bool


class Missing(NamedTuple):
    """A cell without a result that counts, and why."""

    cell: str
    why: str


@dataclass(frozen=True)
class Table:
    """The results of a study that count.

    Attributes:
        study: The study's name.
        expected: Its cells by id, in its order.
        cells: A row per model, objective set, algorithm, seed and objective, in the study's order:
            ``initial``, ``final``, ``delta``, ``delta_se``, ``drop_from_best``, ``interfered``;
            and, the same for all objectives of a run, ``score_delta``, ``score_delta_se``,
            ``worst_change``, ``hypervolume_gain``, ``tokens``, ``tokens_initial``, ``prompts``,
            ``environment``.
        missing: The cells that are not in it.
        origins: Where each counted run comes from, by cell.
        mixture: What differs between the runs' environments, in words; empty if nothing does.
    """

    study: str
    expected: Mapping[str, ExpectedCell]
    cells: pandas.DataFrame
    missing: tuple[Missing, ...]
    origins: Mapping[str, Origin]
    mixture: str


def collect(
    uri: str, study: str, expected: Mapping[str, ExpectedCell], *, allow_mixed: bool = False
) -> Table:
    """Collect the results of a study from the tracking store alone.

    A cell's result is that of its latest run which is complete, not superseded and of the cell's
    present hash.

    Args:
        uri: The tracking store.
        study: The study's name there.
        expected: The study's cells by id.
        allow_mixed: Whether runs of different environments may stand side by side.

    Raises:
        CrosstalkError: The store cannot be used, no cell has a result, or their environments
            differ and ``allow_mixed`` is not set.
    """
    runs = tracked_runs(uri, study)
    keys = ["tags.cell", "tags.cell_hash", "tags.status"]
    runs = runs.reindex(columns=runs.columns.union(keys, sort=False))
    found = {cell: _result(runs, cell, wanted) for cell, wanted in expected.items()}
    missing = tuple(Missing(cell, run) for cell, run in found.items() if isinstance(run, str))
    counted = {cell: run for cell, run in found.items() if not isinstance(run, str)}
    if not counted:
        reasons = pandas.Series([each.why for each in missing]).value_counts()
        tally = "; ".join(f"{number} {why}" for why, number in reasons.items())
        raise CrosstalkError(
            f"study {study!r}: no result yet; its {len(expected)} cells: {tally or 'none'}"
        )
    origins = {cell: origin_of(run) for cell, run in counted.items()}
    mixture = check_unmixed(study, origins.values(), allow_mixed=allow_mixed)
    curves = run_curves(uri, [origin.run_id for origin in origins.values()], "validation/")
    frames = [
        _rows(expected[cell], run, curves[curves["run_id"] == run["run_id"]])
        for cell, run in counted.items()
    ]
    return Table(study, expected, pandas.concat(frames), missing, origins, mixture)


def _result(runs: pandas.DataFrame, cell: str, wanted: ExpectedCell) -> "pandas.Series | str":
    """Return the run that counts for a cell, or why there is none."""
    mine = runs[runs["tags.cell"] == cell]
    present = mine[mine["tags.cell_hash"] == wanted.cell_hash]
    valid = present[present["tags.status"] != "superseded"]
    if valid.empty:
        if mine.empty:
            return "never started"
        return "only of older code or settings" if present.empty else "superseded by a deleted run"
    complete = valid[valid["tags.status"] == "complete"]
    if complete.empty:
        return UNFINISHED[valid.iloc[-1]["tags.status"]]
    latest = complete.iloc[-1]
    needed = [name for name in _metrics(wanted.names) if not name.endswith("_se")]
    absent = [name for name in needed if pandas.isna(latest.get(f"metrics.{name}"))]
    return f"evaluated without {', '.join(absent)}" if absent else latest


def _metrics(names: Iterable[str]) -> list[str]:
    per_objective = [key.format(name) for name in names for key in PER_OBJECTIVE.values()]
    return per_objective + list(PER_RUN.values())


def _rows(cell: ExpectedCell, run: pandas.Series, curves: pandas.DataFrame) -> pandas.DataFrame:
    """Return the tidy rows of one run, a row per objective."""
    values = {  # each (objective,)
        column: np.array([run.get(f"metrics.{key.format(name)}", np.nan) for name in cell.names])
        for column, key in PER_OBJECTIVE.items()
    }
    shared = {column: run.get(f"metrics.{key}", np.nan) for column, key in PER_RUN.items()}
    frame = pandas.DataFrame(
        {
            "model": cell.model,
            "objectives": cell.objectives,
            "algorithm": cell.algorithm,
            "reference": cell.reference,
            "seed": cell.seed,
            "objective": list(cell.names),
            **values,
        }
    )
    frame["drop_from_best"] = _drops(cell, curves)
    frame["interfered"] = interfered_with(
        values["delta"][None],
        values["delta_se"][None],
        np.array([shared["score_delta"]]),
        np.array([shared["score_delta_se"]]),
        shared["prompts"] - 1,
    )[0]
    frame["worst_change"] = float(worst_change(values["delta"]))
    frame["hypervolume_gain"] = hypervolume_gain(values["final"], values["initial"])
    return frame.assign(**shared, environment=run["tags.environment_hash"])


def _drops(cell: ExpectedCell, curves: pandas.DataFrame) -> np.ndarray:
    """Return each objective's drop from its best validation value: (objective,), NaN if none."""
    columns = [f"validation/{name}" for name in cell.names]
    wide = curves.pivot(index="step", columns="metric", values="value").reindex(columns=columns)
    if wide.empty:
        return np.full(len(columns), np.nan)
    return drop_from_best(wide.to_numpy())
