"""Join several studies in one leaderboard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results.cells import ExpectedCell, Missing
from benchmark.leaderboard.results.evidence import judged
from benchmark.leaderboard.results.origins import check_unmixed, differing
from benchmark.leaderboard.results.rows import COLUMNS
from benchmark.leaderboard.results.table import Table
from benchmark.tracking.names import ESTIMATOR

T = TypeVar("T")


def join(tables: Sequence[Table], *, allow_mixed: bool) -> Table:
    """Return the results of several studies as one table.

    Studies of the same settings (budget, data, objectives, parameters) are pooled: their seeds,
    models and algorithms stand in the same tables. A cell that several of them hold counts once.
    Where estimators differ, an objective set's name says which; where other settings differ and
    ``allow_mixed`` is set, it says which studies, so that no table sums up what does not belong
    together. One table is returned as it is.
    """
    if len(tables) == 1:
        return tables[0]
    origins = [origin for table in tables for origin in table.origins.values()]
    name = " + ".join(table.study for table in tables)
    mixture = check_unmixed(name, origins, allow_mixed=allow_mixed)
    pools = _pools(tables)
    estimators = {o.settings.get(ESTIMATOR, "") for o in origins}
    joined = [
        _labelled(table, pool if len(set(pools)) > 1 else "", several=len(estimators) > 1)
        for table, pool in zip(tables, pools, strict=True)
    ]
    return _concatenated(name, joined, mixture)


def _pools(tables: Sequence[Table]) -> list[str]:
    """Return the pool of each study: the names of those with the same settings, joined."""
    pools: list[list[Table]] = []
    for table in tables:
        for pool in pools:
            if not differing([*pool[0].origins.values(), *table.origins.values()]):
                pool.append(table)
                break
        else:
            pools.append([table])
    names = {t.study: " + ".join(each.study for each in pool) for pool in pools for t in pool}
    return [names[table.study] for table in tables]


def _labelled(table: Table, pool: str, *, several: bool) -> Table:
    """Return the table with the study or estimator in the names of its objective sets."""
    estimators = {origin.settings.get(ESTIMATOR, "") for origin in table.origins.values()}
    parts = [*(sorted(estimators) if several else []), *([pool] if pool else [])]
    if not parts:
        return table
    suffix = f" ({', '.join(parts)})"
    return replace(
        table,
        expected={
            name: replace(cell, objectives=cell.objectives + suffix)
            for name, cell in table.expected.items()
        },
        cells=table.cells.assign(objectives=table.cells["objectives"] + suffix),
        costs=table.costs.assign(objectives=table.costs["objectives"] + suffix),
        curves=table.curves.assign(objectives=table.curves["objectives"] + suffix),
        apart=table.apart.assign(objectives=table.apart["objectives"] + suffix),
    )


def _concatenated(name: str, tables: Sequence[Table], mixture: str) -> Table:
    axes = ["model", "objectives", "algorithm", "seed"]
    owners: dict[tuple[str, ...], tuple[str, ExpectedCell]] = {}
    kept: list[Table] = []
    twice: Counter[str] = Counter()
    for table in tables:
        again = {
            tuple(str(getattr(cell, axis)) for axis in axes): cell
            for cell_id, cell in table.expected.items()
            if cell_id in table.origins
        }
        held = {key for key in again if key in owners}
        for key in held:
            owner, first = owners[key]
            if first.cell_hash != again[key].cell_hash:
                raise CrosstalkError(
                    f"studies {owner!r} and {table.study!r}: both hold the cell {'/'.join(key)}, "
                    "of other code or evaluation; compare them one by one"
                )
        twice[table.study] += len(held)
        owners |= {key: (table.study, cell) for key, cell in again.items() if key not in held}
        kept.append(_without(table, held, axes))
    scales = (note for table in kept for note in table.notes)
    notes = tuple(dict.fromkeys(scales)) + tuple(
        f"{number} cells of the study {study} are in a study before it too, and count once."
        for study, number in twice.items()
        if number
    )
    return Table(
        study=name,
        expected=_prefixed({t.study: t.expected for t in kept}),
        cells=judged(pandas.concat([t.cells for t in kept], ignore_index=True))[COLUMNS],
        missing=tuple(Missing(f"{t.study}/{m.cell}", m.why) for t in kept for m in t.missing),
        origins=_prefixed({t.study: t.origins for t in kept}),
        mixture=mixture,
        costs=pandas.concat([t.costs for t in kept], ignore_index=True),
        curves=pandas.concat([t.curves for t in kept], ignore_index=True),
        selection=kept[0].selection,
        notes=notes,
        lock_hashes=kept[0].lock_hashes,
        apart=pandas.concat([t.apart for t in kept], ignore_index=True),
    )


def _without(table: Table, held: set[tuple[str, ...]], axes: list[str]) -> Table:
    """Return the table without the cells that an earlier study holds."""
    gone = {
        name
        for name, cell in table.expected.items()
        if tuple(str(getattr(cell, axis)) for axis in axes) in held
    }

    def rest(frame: pandas.DataFrame) -> pandas.DataFrame:
        keys = frame[axes].astype(str).apply(tuple, axis=1) if len(frame) else pandas.Series([])
        return frame[[key not in held for key in keys]]

    return replace(
        table,
        expected={n: cell for n, cell in table.expected.items() if n not in gone},
        cells=rest(table.cells),
        origins={n: origin for n, origin in table.origins.items() if n not in gone},
        costs=rest(table.costs),
        curves=rest(table.curves),
        apart=rest(table.apart),
    )


def _prefixed(parts: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    return {f"{study}/{name}": v for study, part in parts.items() for name, v in part.items()}
