"""Summarise the seeds of each algorithm on each model and objective set."""

from collections.abc import Iterable

import numpy as np
import pandas
from numpy.typing import ArrayLike, NDArray

from benchmark.interference.intervals import half_width
from benchmark.interference.metrics import interfered_with, normalised_gain

PLACE = ["model", "objectives"]
GROUP = [*PLACE, "algorithm"]
COLUMNS = [
    *(*GROUP, "reference", "objective", "seeds", "interval", "initial", "final", "delta"),
    *("delta_low", "delta_high", "interfered", "attribution", "interfered_objectives"),
    *("worst_change", "score_delta", "score_low", "score_high", "hypervolume_gain", "tokens"),
    *("tokens_initial", "estimator", "environment", "normalised_gain"),
]


def summarise(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per model, objective set, algorithm and objective, from a table's ``cells``.

    Columns: ``seeds``; ``interval``, what the intervals are over: ``seeds`` (Student, two seeds or
    more) or ``prompts`` (paired, one seed, which says nothing about how much trainings vary);
    ``initial``, ``final``, ``delta``, ``delta_low``, ``delta_high``, ``interfered``;
    ``attribution``, why, where it is interfered with and was diagnosed; ``normalised_gain``, the
    share of the gain that training on the objective alone reaches; and, the same for all objectives
    of a group, ``interfered_objectives``, ``worst_change``, ``score_delta``, ``score_low``,
    ``score_high``, ``hypervolume_gain``, ``tokens``, ``tokens_initial``, ``estimator``,
    ``environment``. Values are means over the seeds. Models and objective sets keep their order; in
    each, competitors stand before references.
    """
    groups = cells.groupby(GROUP, sort=False)
    cells = cells.assign(group=groups.ngroup())
    shared = _shared(cells)
    frame = _changes(cells, shared)
    frame["interfered_objectives"] = _listed(frame, frame["objective"])
    frame["worst_change"] = frame.groupby("group")["delta"].transform("min")
    frame["normalised_gain"] = _normalised(frame)
    frame["place"] = frame.groupby(PLACE, sort=False).ngroup()
    frame = frame.sort_values(["place", "reference"], kind="stable")
    return frame[COLUMNS].reset_index(drop=True)


def trained_on(algorithm: str, objectives: Iterable[str]) -> str | None:
    """Return the objective that a reference's id ends in: ``single-clarity`` -> ``clarity``."""
    matching = [n for n in objectives if algorithm == n or algorithm.endswith(f"-{n}")]
    return max(matching, key=len, default=None)


def environments(group: pandas.DataFrame) -> str:
    """Return the hashes of the environments that a group's runs come from."""
    return " + ".join(sorted(group["environment"].unique()))


def _shared(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return what the objectives of a group have in common, a row per ``group``."""
    runs = cells.drop_duplicates(["group", "study", "seed"]).groupby("group", sort=False)
    frame = runs[["hypervolume_gain", "tokens", "tokens_initial", "prompts"]].mean()
    for column in ("estimator", "environment"):
        frame[column] = runs[column].agg(lambda found: " + ".join(sorted(set(found))))
    frame["seeds"] = runs.size()
    frame["interval"] = np.where(frame["seeds"] == 1, "prompts", "seeds")
    own = runs["score_delta_se"].first()  # of the one run there is
    frame["score_error"] = _error(runs["score_delta"].std(), own, frame["seeds"])
    frame["freedom"] = np.where(frame["seeds"] == 1, frame["prompts"], frame["seeds"]) - 1
    frame["score_delta"] = runs["score_delta"].mean()
    half = half_width(frame["score_error"], frame["freedom"])
    frame["score_low"], frame["score_high"] = (
        frame["score_delta"] - half,
        frame["score_delta"] + half,
    )
    return frame


def _changes(cells: pandas.DataFrame, shared: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per group and objective, with the group's columns beside its own."""
    objectives = cells.groupby(["group", "objective"], sort=False)
    frame = objectives[[*GROUP, "reference"]].first()
    frame = frame.join(objectives[["initial", "final", "delta"]].mean())
    spread, own = objectives["delta"].std(), objectives["delta_se"].first()
    flagged, why = objectives["interfered"].first(), objectives["attribution"].agg(_texts)
    frame = frame.reset_index().join(shared, on="group")
    error = _error(spread.to_numpy(), own.to_numpy(), frame["seeds"])
    half = half_width(error, frame["freedom"])
    frame["delta_low"], frame["delta_high"] = frame["delta"] - half, frame["delta"] + half
    over_seeds = interfered_with(
        frame["delta"].to_numpy()[:, None],
        error[:, None],
        frame["score_delta"],
        frame["score_error"],
        frame["freedom"],
    )[:, 0]
    one = frame["seeds"].to_numpy() == 1
    frame["interfered"] = np.where(one, flagged.to_numpy(), over_seeds).astype(bool)
    frame["attribution"] = np.where(frame["interfered"], why.to_numpy(), "")
    return frame


def _error(spread: ArrayLike, own: ArrayLike, seeds: pandas.Series) -> np.ndarray:
    """Return the standard errors: of the mean over seeds, or of the one run over its prompts."""
    count = seeds.to_numpy()
    return np.where(count == 1, own, np.asarray(spread) / np.sqrt(count))


def _texts(found: pandas.Series) -> str:
    """Return the different texts there are, joined; empty ones say nothing."""
    return "; ".join(sorted(set(found) - {""}))


def _listed(frame: pandas.DataFrame, names: pandas.Series) -> pandas.Series:
    """Return the group's objectives that are interfered with, by name, in each of its rows."""
    kept = names[frame["interfered"]]
    lists = kept.groupby(frame["group"]).agg(", ".join)
    return frame["group"].map(lists).fillna("")


def _normalised(frame: pandas.DataFrame) -> NDArray[np.float64]:
    """Return each row's share of the gain that training on its objective alone reaches."""
    names = list(frame["objective"].unique())
    own = frame["algorithm"].map(lambda algorithm: trained_on(algorithm, names))
    keys = [*PLACE, "objective"]
    alone = frame[frame["reference"] & (own == frame["objective"])].drop_duplicates(keys)
    single = frame[keys].merge(alone[[*keys, "final"]], on=keys, how="left")["final"]
    return normalised_gain(frame["delta"], frame["initial"], single)
