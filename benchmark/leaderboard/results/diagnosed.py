"""Tabulate what the diagnosis of a study's cells found, from its tracked runs alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.attribution import step_metrics
from benchmark.diagnosis.law import Records, records, summary
from benchmark.diagnosis.samples import KINDS, StepSample, from_frame
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.rows import attribution
from benchmark.leaderboard.results.table import Table
from benchmark.tracking.address import shown
from benchmark.tracking.names import DIAGNOSIS, DIAGNOSIS_HASH, DIAGNOSIS_TABLE, GEOMETRY
from benchmark.tracking.reading import download, read_run

SEED = 7  # of the bootstrap over prompts
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
    """

    cell: ExpectedCell
    samples: Mapping[int, StepSample]
    why: Mapping[str, str]
    geometry: Mapping[str, float] = field(default_factory=dict)


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
    with TemporaryDirectory(prefix="crosstalk-report-") as scratch:
        for cell, origin in results.origins.items():
            run = read_run(uri, origin.run_id)
            if run.tags.get(DIAGNOSIS_HASH) != hashes[cell]:
                stale = DIAGNOSIS_HASH in run.tags
                missing[cell] = "diagnosed by older code or settings" if stale else "not diagnosed"
                continue
            expected = results.expected[cell]
            table = _table(uri, origin.run_id, Path(scratch))
            samples = from_frame(table, expected.names)
            why = zip(expected.names, attribution(run, expected.names), strict=True)
            geometry = {n: v for n, v in run.metrics.items() if n.startswith(GEOMETRY)}
            found[cell] = Diagnosed(expected, samples, dict(why), geometry)
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


def law_table(diagnosed: Iterable[Diagnosed], resamples: int = 1000) -> pandas.DataFrame:
    """Return how well each kind of prediction holds: a row per algorithm, kind and split.

    ``algorithm`` is ``all`` for the pooled rows; ``split`` is ``all``, ``step size`` or ``clipped``
    and ``value`` which part of it. The other columns are those of
    :func:`benchmark.diagnosis.law.summary`. Splits are given for all algorithms together.
    """
    everything = list(diagnosed)
    algorithms = list(dict.fromkeys(each.cell.algorithm for each in everything))
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        pooled: list[Records] = []
        for algorithm in algorithms:
            own = [
                s for d in everything if d.cell.algorithm == algorithm for s in d.samples.values()
            ]
            found = records(own, kind, np.random.default_rng(SEED), resamples)
            pooled.append(found)
            made = summary(found.where(found.multiple == 1.0))
            own_row = {"algorithm": algorithm, "kind": kind, "split": "step size", "value": "1"}
            rows.append({**own_row, **made})
        joined = _joined(pooled)
        rows += [{"algorithm": ALL, "kind": kind, **part} for part in _splits(joined)]
    return pandas.DataFrame(rows)


def _joined(parts: Sequence[Records]) -> Records:
    return Records(
        np.concatenate([part.predicted for part in parts], axis=1),
        np.concatenate([part.realised for part in parts], axis=1),
        np.concatenate([part.multiple for part in parts]),
        np.concatenate([part.clipped for part in parts]),
    )


def _splits(found: Records) -> Iterable[dict[str, Any]]:
    yield {"split": ALL, "value": ALL, **summary(found)}
    for multiple in np.unique(found.multiple):
        part = found.where(found.multiple == multiple)
        yield {"split": "step size", "value": f"{multiple:g}", **summary(part)}
    for low, high in CLIPPED_BINS:
        inside = (found.clipped > low) & (found.clipped <= high)
        inside |= (found.clipped == 0) & (low == 0)
        if inside.any():
            label = f"{low:g} to {high:g}"
            yield {"split": "clipped", "value": label, **summary(found.where(inside))}


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

    Columns: the place of the cell, ``step``, ``multiple``, ``objective``, ``realised`` with its
    ``standard_error``, and a column for each kind of prediction.
    """
    rows = []
    for each in diagnosed:
        names = each.cell.names
        for step, sample in each.samples.items():
            generator = np.random.default_rng(SEED)
            by_kind = {kind: records([sample], kind, generator, 1).predicted[0] for kind in KINDS}
            index = 0
            for multiple, changes in sample.realised.items():
                errors = changes.std(axis=0, ddof=1) / np.sqrt(len(changes))
                for column, name in enumerate(names):
                    row = {
                        **_place(each.cell),
                        "step": step,
                        "multiple": multiple,
                        "objective": name,
                        "realised": changes[:, column].mean(),
                        "standard_error": errors[column],
                        **{kind: by_kind[kind][index] for kind in KINDS},
                    }
                    rows.append(row)
                    index += 1
    return pandas.DataFrame(rows)


def attribution_table(
    diagnosed: Mapping[str, Diagnosed], cells: pandas.DataFrame
) -> pandas.DataFrame:
    """Return why objectives fell: a row per diagnosed run and objective, interfered with or not.

    ``diagnosed`` is by cell id, ``cells`` a table's.
    """
    rows = []
    keys = ["model", "objectives", "algorithm", "seed"]
    known = cells.set_index([*keys, "objective"])[["delta", "interfered"]]
    for each in diagnosed.values():
        place = _place(each.cell)
        for name, why in each.why.items():
            change = known.loc[(*place.values(), name)]
            row = {**place, "objective": name, "delta": change["delta"]}
            rows.append({**row, "interfered": bool(change["interfered"]), "why": why})
    return pandas.DataFrame(rows)


def _place(cell: ExpectedCell) -> dict[str, Any]:
    return {
        "model": cell.model,
        "objectives": cell.objectives,
        "algorithm": cell.algorithm,
        "seed": cell.seed,
    }
