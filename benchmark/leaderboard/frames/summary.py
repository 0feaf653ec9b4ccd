"""Summarise the seeds of each algorithm on each model and objective set."""

import numpy as np
import pandas
from numpy.typing import NDArray

from benchmark.leaderboard.frames.gains import run_values, scales
from benchmark.leaderboard.results.evidence import GROUP, PLACE, RUN, evidence

COLUMNS = [
    *(*GROUP, "reference", "objective", "seeds", "interval", "initial", "final", "delta"),
    *("delta_low", "delta_high", "interfered", "fell", "rose", "succeeded", "collapsed"),
    *("attribution", "interfered_objectives", "lossy_runs", "worst_gain", "worst_change"),
    *("score_delta", "score_low", "score_high", "hypervolume_gain", "delta_m"),
    *("tokens", "tokens_initial", "conflict_rate", "magnitude_similarity"),
    *("estimator", "environment", "normalised_gain"),
]


def summarise(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per model, objective set, algorithm and objective, from a table's ``cells``.

    Columns: ``seeds``; ``interval``, what the intervals are over: ``seeds`` (two or more, with what
    they share, see :func:`benchmark.interference.intervals.change_half_width`) or ``prompts``
    (paired, one seed, which says nothing about how much trainings vary); ``initial``, ``final``,
    ``delta``, ``delta_low``, ``delta_high``; the verdicts ``interfered``, ``fell``, ``rose``;
    ``attribution``, why, where it is interfered with and was diagnosed; ``normalised_gain``, the
    share of the gain that training on the objective alone reaches, NaN where that is not above 0 by
    its interval; and, the same for all objectives of a group, ``succeeded``, ``collapsed``,
    ``interfered_objectives``, ``lossy_runs``, ``worst_gain`` (the primary metric, mean over seeds),
    ``worst_change``, ``score_delta``, ``score_low``, ``score_high``, ``hypervolume_gain``,
    ``delta_m``, ``tokens``, ``tokens_initial``, ``conflict_rate``, ``magnitude_similarity``,
    ``estimator``, ``environment``. Values are means over the seeds. Models and objective sets keep
    their order; in each, competitors stand before references.
    """
    cells = cells.assign(group=cells.groupby(GROUP, sort=False).ngroup())
    scale = scales(cells)
    shared, frame = evidence(cells)
    shared = shared.join(_texts_of_groups(cells)).join(_worst_gains(cells, scale))
    shared["interval"] = np.where(shared["seeds"] == 1, "prompts", "seeds")
    shared["score_low"] = shared["score_delta"] - shared["score_half"]
    shared["score_high"] = shared["score_delta"] + shared["score_half"]
    firsts = cells.groupby(["group", "objective"], sort=False)
    frame = frame.join(firsts[[*GROUP, "reference"]].first(), on=["group", "objective"])
    frame = frame.join(shared.drop(columns="prompts"), on="group")
    frame["delta_low"] = frame["delta"] - frame["half"]
    frame["delta_high"] = frame["delta"] + frame["half"]
    why = firsts["attribution"].agg(_texts).to_numpy()
    frame["attribution"] = np.where(frame["interfered"], why, "")
    frame["interfered_objectives"] = _listed(frame, frame["objective"])
    frame["worst_change"] = frame.groupby("group")["delta"].transform("min")
    frame["normalised_gain"] = _normalised(frame, scale)
    frame["place"] = frame.groupby(PLACE, sort=False).ngroup()
    frame = frame.sort_values(["place", "reference"], kind="stable")
    return frame[COLUMNS].reset_index(drop=True)


def environments(group: pandas.DataFrame) -> str:
    """Return the hashes of the environments that a group's runs come from."""
    return " + ".join(sorted(group["environment"].unique()))


def _texts_of_groups(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return what else the runs of a group have in common, a row per ``group``."""
    runs = cells.drop_duplicates(["group", "study", "seed"])
    groups = runs.groupby("group", sort=False)
    frame = groups[["conflict_rate", "magnitude_similarity"]].mean()
    lossy = cells.groupby(["group", "study", "seed"], sort=False)["fell_in_run"].any()
    frame["lossy_runs"] = lossy.groupby(level="group").sum()
    for column in ("estimator", "environment"):
        frame[column] = groups[column].agg(lambda found: " + ".join(sorted(set(found))))
    return frame


def _worst_gains(cells: pandas.DataFrame, scale: pandas.DataFrame) -> pandas.Series:
    """Return the mean of each group's runs' worst normalised gains, NaN without a scale."""
    rows = cells.merge(scale, on=[*PLACE, "objective"], how="left")
    values, starts = run_values(rows, rows.groupby(RUN, sort=False).ngroup().to_numpy())
    found = pandas.Series(values).groupby(rows["group"].to_numpy()[starts]).mean()
    return found.rename("worst_gain")


def _texts(found: pandas.Series) -> str:
    """Return the different texts there are, joined; empty ones say nothing."""
    return "; ".join(sorted(set(found) - {""}))


def _listed(frame: pandas.DataFrame, names: pandas.Series) -> pandas.Series:
    """Return the group's objectives that are interfered with, by name, in each of its rows."""
    kept = names[frame["interfered"]]
    lists = kept.groupby(frame["group"]).agg(", ".join)
    return frame["group"].map(lists).fillna("")


def _normalised(frame: pandas.DataFrame, scale: pandas.DataFrame) -> NDArray[np.float64]:
    """Return each row's share of the gain that training on its objective alone reaches."""
    found = frame[[*PLACE, "objective"]].merge(scale, on=[*PLACE, "objective"], how="left")
    own = found["scale"].to_numpy()
    return np.asarray(frame["delta"].to_numpy() / np.where(own > 0, own, np.nan))
