"""Tabulate what the diagnosis of a study's cells found, from its tracked runs alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import scratch_folder
from benchmark.diagnosis.attribution import step_metrics
from benchmark.diagnosis.law import Records, lowers_its_signal, records, row
from benchmark.diagnosis.repeats import distinct_steps
from benchmark.diagnosis.resolution import CERTAIN, standard_error
from benchmark.diagnosis.samples import (
    ADVANTAGE,
    DIRECTIONS,
    KINDS,
    UPDATE,
    StepSample,
    from_frame,
)
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.rows import coverage, declines, reasons
from benchmark.leaderboard.results.table import Table
from benchmark.tracking.address import shown
from benchmark.tracking.names import DIAGNOSIS, DIAGNOSIS_HASH, DIAGNOSIS_TABLE, GEOMETRY
from benchmark.tracking.reading import download, read_run

CLIPPED_BINS = ((0.0, 0.01), (0.01, 0.1), (0.1, 1.0))  # shares of clipped tokens, low < x <= high
ALL = "all"


@dataclass(frozen=True)
class Diagnosed:
    """One diagnosed cell.

    Attributes:
        cell: What the study says of it.
        samples: The measurements by training step.
        why: Why each objective fell, in words.
        geometry: Of the initial policy: metrics ``geometry/…``.
        declines: How far each objective fell at the diagnosed steps in all.
    """

    cell: ExpectedCell
    samples: Mapping[int, StepSample]
    why: Mapping[str, str]
    geometry: Mapping[str, float] = field(default_factory=dict)
    declines: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What tells the cell from others of the study."""
        return "/".join(map(str, _place(self.cell).values()))


class NotDiagnosed(CrosstalkError):
    """No cell of a study has a diagnosis that counts."""


def collect_diagnoses(
    uri: str, results: Table, hashes: Mapping[str, str]
) -> tuple[dict[str, Diagnosed], dict[str, str]]:
    """Return the diagnosed cells by id, and why the others have no diagnosis that counts.

    ``hashes`` has the present diagnosis hash of every cell.

    Raises:
        NotDiagnosed: None is diagnosed.
    """
    found: dict[str, Diagnosed] = {}
    missing = {each.cell: each.why for each in results.missing}
    with scratch_folder("crosstalk-report-") as scratch:
        for cell, origin in results.origins.items():
            run = read_run(uri, origin.run_id)
            if run.tags.get(DIAGNOSIS_HASH) != hashes[cell]:
                stale = DIAGNOSIS_HASH in run.tags
                missing[cell] = "diagnosed by older code or settings" if stale else "not diagnosed"
                continue
            expected = results.expected[cell]
            table = _table(uri, origin.run_id, Path(scratch))
            samples = from_frame(table, expected.names)
            why = zip(expected.names, reasons(run, expected.names), strict=True)
            geometry = {n: v for n, v in run.metrics.items() if n.startswith(GEOMETRY)}
            fell = declines(run)
            found[cell] = Diagnosed(expected, samples, dict(why), geometry, fell)
    if not found:
        raise NotDiagnosed(
            f"study {results.study!r}: no cell is diagnosed; run `crosstalk diagnose` first"
        )
    return found, missing


def _table(uri: str, run_id: str, scratch: Path) -> pandas.DataFrame:
    """Return a run's measurements."""
    file = download(uri, run_id, DIAGNOSIS_TABLE, scratch / run_id)
    if file is None:
        raise CrosstalkError(
            f"tracking store {shown(uri)}: run {run_id}: its artifact {DIAGNOSIS_TABLE} is missing"
        )
    return pandas.read_parquet(file)


def law_table(diagnosed: Iterable[Diagnosed]) -> pandas.DataFrame:
    """Return how well each kind of prediction holds: a row per algorithm, kind and split.

    ``algorithm`` is ``all`` for the pooled rows; ``split`` is ``all``, ``step size`` or ``clipped``
    and ``value`` which part of it. The other columns are those of
    :func:`benchmark.diagnosis.law.row`, and ``repeated_steps``: how many of the steps are that of
    another cell up to rounding, which counts once. Splits are given for all algorithms together.
    """
    everything = [(d.cell.algorithm, d.id, s) for d in diagnosed for s in d.samples.values()]
    algorithms = list(dict.fromkeys(algorithm for algorithm, _, _ in everything))
    kept, repeated = distinct_steps([(cell, sample) for _, cell, sample in everything])
    of_each = {
        name: distinct_steps([(cell, made(s)) for other, cell, s in everything if other == name])
        for name in algorithms
    }
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        for algorithm, (own, left_out) in of_each.items():
            place = {"algorithm": algorithm, "kind": kind, "split": "step size", "value": "1"}
            counted = {"repeated_steps": float(left_out)}
            rows.append(place | row(records(own, kind)) | counted)
        parts = _splits(records(kept, kind))
        pooled = {"algorithm": ALL, "kind": kind, "repeated_steps": float(repeated)}
        rows += [pooled | part for part in parts]
    return pandas.DataFrame(rows)


def made(sample: StepSample) -> StepSample:
    """Return a step with its changes at the size at which it was made alone."""
    return replace(sample, realised={1.0: sample.realised[1.0]})


def _splits(found: Records) -> Iterable[dict[str, Any]]:
    yield {"split": ALL, "value": ALL, **row(found)}
    for multiple in np.unique(found.multiple):
        part = found.where(found.multiple == multiple)
        yield {"split": "step size", "value": f"{multiple:g}", **row(part)}
    for low, high in CLIPPED_BINS:
        inside = (found.clipped > low) & (found.clipped <= high)
        inside |= (found.clipped == 0) & (low == 0)
        if inside.any():
            label = f"{low:g} to {high:g}"
            yield {"split": "clipped", "value": label, **row(found.where(inside))}


def steps_table(diagnosed: Iterable[Diagnosed]) -> pandas.DataFrame:
    """Return every tracked measurement of every step: a row per cell and step."""
    rows = []
    for each in diagnosed:
        for step, sample in each.samples.items():
            metrics = step_metrics(sample, each.cell.names)
            own = {name.removeprefix(f"{DIAGNOSIS}/"): value for name, value in metrics.items()}
            rows.append({**_place(each.cell), "step": step, **own})
    return pandas.DataFrame(rows)


def changes_table(diagnosed: Iterable[Diagnosed]) -> pandas.DataFrame:
    """Return predicted and realised changes: a row per cell, step, multiple and objective.

    Columns: the place of the cell, ``step``, ``multiple``, ``objective``, ``lowered`` (whether the
    update lowers its own signal), ``realised`` with its ``standard_error``, and a column for each
    kind of prediction.
    """
    frames = []
    for each in diagnosed:
        for step, sample in each.samples.items():
            own = [(each.id, sample)]
            columns = {kind: records(own, kind).predicted for kind in KINDS}
            changes = list(sample.realised.values())
            count = len(each.cell.names)
            frame = pandas.DataFrame(
                {
                    **_place(each.cell),
                    "step": step,
                    "multiple": np.repeat(list(sample.realised), count),
                    "objective": list(each.cell.names) * len(changes),
                    "lowered": lowers_its_signal(sample),
                    "realised": np.concatenate([change.mean(axis=0) for change in changes]),
                    "standard_error": np.concatenate([standard_error(c) for c in changes]),
                    **columns,
                }
            )
            frames.append(frame)
    return pandas.concat(frames, ignore_index=True)


def directions_table(diagnosed: Iterable[Diagnosed]) -> pandas.DataFrame:
    """Return what other steps would have done: a row per objective of each step measured so.

    Columns: the place of the cell, ``step``, ``objective``, ``realised``, ``signal`` (the
    covariance with the advantage), ``update`` (the change at first order along the step made) and a
    column for each of :data:`benchmark.diagnosis.samples.DIRECTIONS`, for a step as long. Each has
    its ``…_error``, over prompts.
    """
    rows = []
    for each in diagnosed:
        for step, sample in each.samples.items():
            if not all((kind, 1.0) in sample.predictors for kind in DIRECTIONS):
                continue
            values = {"realised": sample.realised[1.0]}
            values |= {"signal": sample.predictors[ADVANTAGE, 1.0][:, :-1]}
            kinds = (UPDATE, *DIRECTIONS)
            values |= {kind: sample.predictors[kind, 1.0][:, :-1] for kind in kinds}
            columns = {name: (v.mean(axis=0), standard_error(v)) for name, v in values.items()}
            for column, name in enumerate(each.cell.names):
                line = {**_place(each.cell), "step": step, "objective": name}
                for kind, (means, errors) in columns.items():
                    line |= {kind: means[column], f"{kind}_error": errors[column]}
                rows.append(line)
    return pandas.DataFrame(rows)


def turned_table(directions: pandas.DataFrame) -> pandas.DataFrame:
    """Return how often each direction turns the sign where the step made did.

    Over the objectives that fell by their interval at a step whose signal asked for a rise and
    whose update lowers them at first order, signs resolved: a row per direction with ``falls``,
    ``rises`` and ``unresolved``, of ``steps`` in all. A signal of rounding alone asks for nothing,
    and what is alike up to rounding counts once.
    """
    if directions.empty:
        return pandas.DataFrame()
    directions = without_repeats(directions)
    falls = {name: directions[name] < -CERTAIN * directions[f"{name}_error"] for name in _SIGNED}
    rises = {name: directions[name] > CERTAIN * directions[f"{name}_error"] for name in _SIGNED}
    here = falls["realised"] & rises["signal"] & falls[UPDATE] & (directions["signal"] > ROUNDING)
    rows = []
    for kind in DIRECTIONS:
        down, up = int((here & falls[kind]).sum()), int((here & rises[kind]).sum())
        total = int(here.sum())
        counts = {"falls": down, "rises": up, "unresolved": total - down - up, "steps": total}
        rows.append({"direction": DIRECTIONS[kind], **counts})
    return pandas.DataFrame(rows)


def without_repeats(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of steps, but for those that repeat an earlier cell's step up to rounding.

    ``table`` is :func:`changes_table` or :func:`directions_table`: the derivatives along the update
    tell, of all objectives and multiples together, as the measurements tell the law's tables
    (:func:`benchmark.diagnosis.repeats.distinct_steps`).
    """
    step = ["model", "objectives", "seed", "step", "algorithm"]
    parts = [name for name in ("multiple", "objective") if name in table]
    told = table.pivot(index=step, columns=parts, values=UPDATE).round(DECIMALS)
    told = told.loc[pandas.MultiIndex.from_frame(table[step].drop_duplicates())]  # the first stays
    repeats = told.droplevel("algorithm").reset_index().duplicated().to_numpy()
    return table[~pandas.MultiIndex.from_frame(table[step]).isin(told.index[repeats])]


ROUNDING = 1e-6  # of a covariance with a signal: one completion that differs makes more
DECIMALS = 6  # of a derivative along an update, far below its standard error
_SIGNED = ("realised", "signal", UPDATE, *DIRECTIONS)


def attribution_table(
    diagnosed: Mapping[str, Diagnosed], cells: pandas.DataFrame
) -> pandas.DataFrame:
    """Return why objectives fell: a row per diagnosed run and objective, interfered with or not.

    ``coverage`` is the decline at the diagnosed steps over that of the whole training, NaN for an
    objective that rose. ``diagnosed`` is by cell id, ``cells`` a table's.
    """
    rows = []
    keys = ["model", "objectives", "algorithm", "seed"]
    known = cells.set_index([*keys, "objective"])[["delta", "interfered"]]
    for each in diagnosed.values():
        place = _place(each.cell)
        for name, why in each.why.items():
            change = known.loc[(*place.values(), name)]
            line = {**place, "objective": name, "delta": change["delta"]}
            line |= {"coverage": coverage(each.declines.get(name, np.nan), float(change["delta"]))}
            rows.append({**line, "interfered": bool(change["interfered"]), "why": why})
    return pandas.DataFrame(rows)


def _place(cell: ExpectedCell) -> dict[str, Any]:
    return {
        "model": cell.model,
        "objectives": cell.objectives,
        "algorithm": cell.algorithm,
        "seed": cell.seed,
    }
