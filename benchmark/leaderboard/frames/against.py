"""Compare each algorithm with `linear` on the same seeds, and say what could be detected."""

from collections.abc import Mapping

import pandas

from benchmark.interference.comparisons import holm, mean_p_value, minimum_detectable_change
from benchmark.interference.intervals import mean_and_error, stratified_mean_interval
from benchmark.leaderboard.frames.verdicts import copies
from benchmark.leaderboard.results.evidence import PLACE, RUN

BASELINE = "linear"
SIGNIFICANT = 0.05  # an adjusted p-value below it is marked
COLUMNS = [
    *("algorithm", "difference", "difference_low", "difference_high"),
    *("p", "p_adjusted", "detectable", "places", "seeds"),
]


def beside_baseline(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per run that has one of ``linear`` on the same place, study and seed.

    ``worst_change``, the change of the run's worst objective, and ``baseline``, that of the other.
    """
    slot = [*PLACE, "study", "seed"]
    runs = cells.drop_duplicates(RUN)[["algorithm", "reference", *slot, "worst_change"]]
    linear = runs.loc[runs["algorithm"] == BASELINE, [*slot, "worst_change"]]
    return runs.merge(linear.rename(columns={"worst_change": "baseline"}), on=slot)


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
    runs = beside_baseline(cells)
    runs["difference"] = runs["worst_change"] - runs["baseline"]
    others = runs[~runs["reference"] & (runs["algorithm"] != BASELINE)]
    rows = [[name, *_compared(own)] for name, own in others.groupby("algorithm", sort=False)]
    table = pandas.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_adjusted"])
    table.insert(COLUMNS.index("p_adjusted"), "p_adjusted", _adjusted(table, copies(cells)))
    return table


def _adjusted(table: pandas.DataFrame, twins: Mapping[str, str]) -> pandas.Series:
    """Return ``p`` by Holm over the rows that are no copies; a copy has its original's."""
    own = table["algorithm"].map(twins)
    distinct = table[own.isna()]
    adjusted = dict(zip(distinct["algorithm"], holm(distinct["p"]), strict=True))
    return own.fillna(table["algorithm"]).map(adjusted).fillna(table["p"]).astype(float)


def _compared(runs: pandas.DataFrame) -> list[float]:
    """Return the columns from ``difference`` on, without ``p_adjusted``."""
    place, differences = runs.groupby(PLACE, sort=False).ngroup(), runs["difference"].to_numpy()
    strata = [differences[place == k] for k in range(place.max() + 1)]
    interval = stratified_mean_interval(strata)
    _, error, freedom = mean_and_error(strata)
    detectable = minimum_detectable_change(error, freedom)
    fewest = min(map(len, strata))
    return [*interval, mean_p_value(strata), detectable, len(strata), fewest]
