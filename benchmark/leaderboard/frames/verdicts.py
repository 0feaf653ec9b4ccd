"""Name each algorithm for what it did, and order them so that only gain without loss leads.

The primary metric alone would put a rule that never moves (0) above every rule that gives something
up (below 0), and its interquartile mean does not see the one seed in five that fails. So:

======================  ===========================================================================
gain without loss       the primary metric is above 0 by its interval, and in no run did an
                        objective fall by its own interval, nor did any run collapse
partial gain            training succeeded at most places and no objective fell at any; but the
                        primary metric is not told from 0, so something is not shown to rise, or
                        single runs lost something
gain with loss          training succeeded at most places and an objective fell at one or more
incomplete              results are missing at some places, so the metric is over easier or harder
                        ones
no gain                 the score did not rise, by its interval, at half the places or more
collapsed               at half the places or more every objective fell, or completions came to fill
                        the limit; or such runs are half of all
======================  ===========================================================================

The first has rank 1 to itself: where nobody is in it, nobody leads. Partial gain and gain with loss
follow in one order. The last three are not ranked.
"""

from collections.abc import Mapping

import numpy as np
import pandas

from benchmark.leaderboard.frames.gains import Gains, shared_ranks

WITHOUT_LOSS, PARTIAL, WITH_LOSS = "gain without loss", "partial gain", "gain with loss"
INCOMPLETE, NO_GAIN, COLLAPSED = "incomplete", "no gain", "collapsed"
TIERS = {WITHOUT_LOSS: 0, PARTIAL: 1, WITH_LOSS: 1, INCOMPLETE: 2, NO_GAIN: 3, COLLAPSED: 4}
RANKED = (WITHOUT_LOSS, PARTIAL, WITH_LOSS)


def copies(cells: pandas.DataFrame) -> dict[str, str]:
    """Return the competitors whose results all equal those of an earlier one, and which that is."""
    seen: dict[tuple[float, ...], str] = {}
    found = {}
    competitors = cells[~cells["reference"]]
    columns = ["model", "objectives", "study", "seed", "objective", "final"]
    result = competitors.groupby(columns, sort=False).ngroup()  # a number; NaN for an unknown one
    for name, own in result.groupby(competitors["algorithm"], sort=False):
        first = seen.setdefault(tuple(own.sort_values()), str(name))
        if first != name:
            found[str(name)] = first
    return found


def verdict(row: pandas.Series, places: int) -> str:
    """Return what an algorithm did; ``places``: how many its competitors were trained on."""
    if 2 * row["collapsed"] >= row["places"] or 2 * row["collapsed_runs"] >= row["runs"]:
        return COLLAPSED
    if 2 * row["succeeded"] <= row["places"]:
        return NO_GAIN
    if row["places"] < places:
        return INCOMPLETE
    if row["fell"]:
        return WITH_LOSS
    harmless = not row["lossy_runs"] and not row["collapsed_runs"]
    return WITHOUT_LOSS if harmless and _primary(row, "_low") > 0 else PARTIAL


def _primary(row: pandas.Series, part: str = "") -> float:
    """Return the worst gain, or the worst change where nothing gives it a scale."""
    key = "worst_loss" if np.isnan(row["worst_gain"]) else "worst_gain"
    return float(row[f"{key}{part}"])


def ordered(table: pandas.DataFrame, gains: Mapping[str, Gains], places: int) -> pandas.DataFrame:
    """Return the overall table with ``verdict`` and ``rank``, the first on top.

    A copy stands after what it copies and has its rank. References come last.
    """
    table = table.copy()
    table["verdict"] = [
        "" if row["reference"] else verdict(row, places) for _, row in table.iterrows()
    ]
    table["tier"] = table["verdict"].map(TIERS)
    scaled = bool(table.loc[~table["reference"], "worst_gain"].notna().all())
    table["primary"] = table["worst_gain"] if scaled else table["worst_loss"]
    competing = table[~table["reference"]].sort_values(
        ["tier", "primary"], ascending=[True, False], kind="stable"
    )
    ranks: dict[str, int] = {}
    if scaled:
        for tier in sorted({TIERS[each] for each in RANKED}):
            names = list(competing.loc[competing["tier"] == tier, "algorithm"])
            first = max(ranks.values(), default=0 if tier == 0 else 1) + 1
            ranks |= shared_ranks(names, gains, first)
    competing["rank"] = competing["algorithm"].map(ranks).astype(float)
    references = table[table["reference"]].assign(rank=np.nan)
    return pandas.concat([competing, references], ignore_index=True)
