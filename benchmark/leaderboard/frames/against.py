"""Compare each algorithm with `linear` on the same seeds, and say what could be detected."""

from collections.abc import Mapping

import pandas

from benchmark.interference.comparisons import holm, mean_p_value, minimum_detectable_change
from benchmark.interference.intervals import mean_and_error, stratified_mean_interval
from benchmark.leaderboard.frames.verdicts import copies
from benchmark.leaderboard.results.evidence import PLACE

BASELINE = "linear"
SIGNIFICANT = 0.05  # an adjusted p-value below it is marked
COLUMNS = [
    *("algorithm", "difference", "difference_low", "difference_high"),
    *("p", "p_adjusted", "detectable", "places", "seeds"),
]


def worst_changes(group: pandas.DataFrame) -> pandas.Series:
    """Return the change of each run's worst objective, by place, study and seed."""
    return group.groupby([*PLACE, "study", "seed"], sort=False)["worst_change"].first()


def against_baseline(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Compare the worst objective's change with that of ``linear`` on the same seeds.

    A row per other algorithm that is not a reference and has seeds in common with ``linear``:
    ``difference``, the mean over places (a model with an objective set), each counting the same,
    with the bounds of Student's interval over seeds; ``p`` of it being zero; ``p_adjusted``, by
    Holm over the rows, copies of an entry counting once; ``detectable``, the smallest true
    difference that as many seeds, varying as these do, would show as ``p`` < 0.05 in 80% of
    studies; ``places``; ``seeds``, the fewest in common of a place. With one seed in a place only
    the difference is known.
    """
    baseline = worst_changes(cells[cells["algorithm"] == BASELINE])
    others = cells[~cells["reference"] & (cells["algorithm"] != BASELINE)]
    rows = []
    for algorithm, group in others.groupby("algorithm", sort=False):
        own, other = worst_changes(group).align(baseline, join="inner")
        if len(own):
            rows.append([algorithm, *_compared(own - other)])
    table = pandas.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_adjusted"])
    table.insert(COLUMNS.index("p_adjusted"), "p_adjusted", _adjusted(table, copies(cells)))
    return table


def _adjusted(table: pandas.DataFrame, twins: Mapping[str, str]) -> pandas.Series:
    """Return ``p`` by Holm over the rows that are no copies; a copy has its original's."""
    own = table["algorithm"].map(twins)
    distinct = table[own.isna()]
    adjusted = dict(zip(distinct["algorithm"], holm(distinct["p"]), strict=True))
    return own.fillna(table["algorithm"]).map(adjusted).fillna(table["p"]).astype(float)


def _compared(differences: pandas.Series) -> list[float]:
    """Return the columns from ``difference`` on, without ``p_adjusted``."""
    strata = [values.to_numpy() for _, values in differences.groupby(level=PLACE, sort=False)]
    interval = stratified_mean_interval(strata)
    _, error, freedom = mean_and_error(strata)
    detectable = minimum_detectable_change(error, freedom)
    fewest = min(map(len, strata))
    return [*interval, mean_p_value(strata), detectable, len(strata), fewest]
