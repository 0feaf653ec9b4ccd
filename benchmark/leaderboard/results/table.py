"""Collect tracked runs into the tidy table that every leaderboard is made of."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results import costs, origins
from benchmark.leaderboard.results.apart import rows_apart
from benchmark.leaderboard.results.cells import ExpectedCell, Missing
from benchmark.leaderboard.results.curves import validation_curves
from benchmark.leaderboard.results.origins import Origin, check_unmixed, origin_of
from benchmark.leaderboard.results.rows import Curves, tested, tidy_rows, validated
from benchmark.leaderboard.results.scales import scale_notes
from benchmark.tracking import names
from benchmark.tracking.reading import read_runs, read_series, read_totals
from benchmark.tracking.record import Kind, RunRecord

UNFINISHED = {
    names.RUNNING: "still running, or killed before it could report",
    names.TRAINED: "trained, not evaluated",
    names.FAILED: "failed",
    names.KILLED: "killed",
}
TAGS = frozenset(
    {
        names.CELL,
        names.CELL_HASH,
        names.MODEL,
        names.STATUS,
        names.ATTEMPT,
        names.SEED,
        names.GIT_COMMIT,
        names.ENVIRONMENT_HASH,
        names.ATTRIBUTION,
        names.DIAGNOSED_DECLINES,
        names.DIVERGED,
    }
)


@dataclass(frozen=True)
class Table:
    """The results of a study, or of several, that count.

    Attributes:
        study: The study's name; of several, joined by `` + ``.
        expected: Its cells by id, in its order.
        cells: A row per model, objective set, algorithm, seed and objective, in the study's order:
            ``initial``, ``final``, ``delta``, ``delta_se``, ``drop_from_best``, the verdicts of
            :func:`benchmark.leaderboard.results.evidence.judged`, ``attribution`` (why, where it
            was diagnosed); and, the same for all objectives of a run, ``study``, ``estimator``,
            ``score_delta``, ``score_delta_se``, ``worst_change``, ``hypervolume_gain``,
            ``delta_m``, ``tokens``, ``tokens_initial``, ``max_tokens``, ``prompts``,
            ``conflict_rate`` and ``magnitude_similarity`` (means over pairs of objectives, where
            the initial policy was probed), ``environment``.
        missing: The cells that are not in it.
        origins: Where each counted run comes from, by cell.
        mixture: What differs between the runs' provenance, in words; empty if nothing does.
        costs: A row per run: :func:`benchmark.leaderboard.results.costs.run_costs`.
        curves: A row per run, objective and validation:
            :func:`benchmark.leaderboard.results.curves.validation_curves`.
        selection: Which cells were chosen, in words; empty if all were.
        notes: What else a reader has to know, a sentence each.
        lock_hashes: Digests of the project's locks of packages, by file.
        apart: A row per run and objective that nothing is trained on:
            :func:`benchmark.leaderboard.results.apart.rows_apart`.
    """

    study: str
    expected: Mapping[str, ExpectedCell]
    cells: pandas.DataFrame
    missing: tuple[Missing, ...]
    origins: Mapping[str, Origin]
    mixture: str
    costs: pandas.DataFrame = field(default_factory=pandas.DataFrame)
    curves: pandas.DataFrame = field(default_factory=pandas.DataFrame)
    selection: str = ""
    notes: tuple[str, ...] = ()
    lock_hashes: Mapping[str, str] = field(default_factory=dict)
    apart: pandas.DataFrame = field(default_factory=pandas.DataFrame)


def collect(
    uri: str,
    study: str,
    expected: Mapping[str, ExpectedCell],
    *,
    allow_mixed: bool = False,
    selection: str = "",
    lock_hashes: Mapping[str, str] | None = None,
) -> Table:
    """Collect the results of a study from the tracking store alone.

    A cell's result is that of its latest attempt which is complete, not superseded and of the
    cell's present hash. Attempts are counted: no clock decides.

    Args:
        selection: Which cells were chosen, in words; empty if all were.
        lock_hashes: Digests of the project's locks of packages, by file.
    """
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for run in read_runs(uri, study, _wanted):
        runs[run.tags.get(names.CELL, "")].append(run)
    found = {cell: _result(runs[cell], wanted) for cell, wanted in expected.items()}
    missing = tuple(Missing(cell, run) for cell, run in found.items() if isinstance(run, str))
    counted = {cell: run for cell, run in found.items() if not isinstance(run, str)}
    if not counted:
        reasons = pandas.Series([each.why for each in missing]).value_counts()
        tally = "; ".join(f"{number} {why}" for why, number in reasons.items())
        raise CrosstalkError(
            f"study {study!r}: no result yet; its {len(expected)} cells: {tally or 'none'}"
        )
    known = {cell: origin_of(run, expected[cell]) for cell, run in counted.items()}
    mixture = check_unmixed(study, known.values(), allow_mixed=allow_mixed)
    curves, totals = _read_curves(uri, expected, counted)
    cells = tidy_rows(study, expected, counted, curves)
    spent = costs.run_costs(study, expected, counted, totals)
    return Table(
        *(study, expected, cells, missing, known, mixture, spent),
        curves=validation_curves(study, expected, counted, curves),
        selection=selection,
        lock_hashes=lock_hashes or {},
        notes=scale_notes(known.values()),
        apart=rows_apart(study, expected, counted),
    )


def _wanted(kind: Kind, name: str) -> bool:
    """Say whether a leaderboard reads this of a run."""
    if kind == "tags":
        return name in TAGS
    told = (f"{names.TEST}/", names.CONFLICT, names.SIMILARITY)
    of_test = kind == "metrics" and name.startswith(told)
    return of_test or origins.wanted(kind, name) or costs.wanted(kind, name)


def _read_curves(
    uri: str, expected: Mapping[str, ExpectedCell], counted: Mapping[str, RunRecord]
) -> tuple[Mapping[str, Curves], Mapping[str, Mapping[str, float]]]:
    """Return each run's validation curves, and its seconds summed over steps, by metric."""
    wanted = {run.id: validated(expected[cell].names) for cell, run in counted.items()}
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = defaultdict(dict)
    for run_id, name, steps, values in read_series(uri, wanted):
        curves[run_id][name] = steps, values
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    spent = {run.id: costs.curves(run) for run in counted.values()}
    for run_id, name, total in read_totals(uri, spent):
        totals[run_id][name] = total
    return curves, totals


def _result(runs: Sequence[RunRecord], wanted: ExpectedCell) -> RunRecord | str:
    """Return the run that counts for a cell, of all its runs, or why there is none."""
    runs = sorted(runs, key=lambda run: run.attempt)
    present = [run for run in runs if run.tags[names.CELL_HASH] == wanted.cell_hash]
    valid = [run for run in present if run.status != names.SUPERSEDED]
    if not valid:
        if not runs:
            return "never started"
        return "superseded by a deleted run" if present else "only of older code or settings"
    complete = [run for run in valid if run.status == names.COMPLETE]
    if not complete:
        last = valid[-1]
        return last.tags.get(names.DIVERGED) or UNFINISHED[last.status]
    latest = complete[-1]
    measured = tested([*wanted.names, *wanted.evaluation_only])
    needed = [name for name in measured if not name.endswith(names.DELTA_SE)]
    absent = [name for name in needed if math.isnan(latest.metrics.get(name, math.nan))]
    return f"evaluated without {', '.join(absent)}" if absent else latest
