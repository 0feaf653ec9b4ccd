"""Judge what happened to each objective, from all runs of a place: the tables' one verdict.

A *place* is a model with an objective set; the evidence of an algorithm there is all its seeds.
"""

import numpy as np
import pandas

from benchmark.interference.intervals import change_half_width
from benchmark.interference.metrics import collapsed, fell, interference, rose

PLACE = ["model", "objectives"]
GROUP = [*PLACE, "algorithm"]
RUN = [*GROUP, "study", "seed"]
JUDGED = ["interfered", "fell", "rose", "succeeded", "collapsed", "fell_in_run", "collapsed_in_run"]


def evidence(cells: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Return what the runs of each group (a place and an algorithm) say together.

    ``cells`` has a column ``group`` that numbers the groups.

    Returns:
        A row per ``group``: ``seeds``, ``prompts``, ``score_delta``, ``score_half`` (half the width
        of its interval by :func:`benchmark.interference.intervals.change_half_width`), and the
        means of ``hypervolume_gain``, ``delta_m``, ``tokens``, ``tokens_initial``, ``max_tokens``;
        and a row per ``group`` and ``objective``: ``initial``, ``final``, ``delta``, ``half``,
        ``error``, the prompts' part of it, and the verdicts ``interfered``, ``fell``, ``rose``,
        ``succeeded``, ``collapsed``.
    """
    squared = cells.assign(
        squared=cells["delta_se"] ** 2, score_squared=cells["score_delta_se"] ** 2
    )
    runs = squared.drop_duplicates(["group", "study", "seed"]).groupby("group", sort=False)
    columns = ["hypervolume_gain", "delta_m", "tokens", "tokens_initial", "max_tokens", "prompts"]
    shared = runs[[*columns, "score_delta"]].mean()
    shared["seeds"] = runs.size()
    own = np.sqrt(_whole_mean(runs, "score_squared"))
    spread = runs["score_delta"].std()
    shared["score_half"] = change_half_width(spread, own, shared["seeds"], shared["prompts"])
    keys = squared.groupby(["group", "objective"], sort=False)
    frame = keys[["initial", "final", "delta"]].mean()
    frame["error"] = np.sqrt(_whole_mean(keys, "squared"))
    frame["spread"] = keys["delta"].std()
    frame = frame.reset_index()
    of = shared.loc[frame["group"]]
    counts = of["seeds"].to_numpy(), of["prompts"].to_numpy()
    frame["half"] = change_half_width(frame["spread"], frame["error"], *counts)
    return shared, _verdicts(frame, of)


def judged(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return ``cells`` with the columns :data:`JUDGED`, those there are replaced.

    ``interfered``, ``fell``, ``rose``, ``succeeded`` and ``collapsed`` are the verdict on the place
    (:func:`evidence`), alike for all its seeds. ``fell_in_run`` and ``collapsed_in_run`` are of the
    one run, by its interval over prompts: they name a seed that failed.
    """
    cells = cells.assign(group=cells.groupby(GROUP, sort=False).ngroup())
    _, verdicts = evidence(cells)
    own = fell(cells["delta"], change_half_width(np.nan, cells["delta_se"], 1, cells["prompts"]))
    run = cells.groupby(RUN, sort=False).ngroup()
    every = pandas.Series(own, cells.index).groupby(run).transform("all")
    tokens = (cells[name] for name in ("tokens", "tokens_initial", "max_tokens"))
    cells = cells.drop(columns=JUDGED, errors="ignore")
    merged = cells[["group", "objective"]].merge(verdicts, on=["group", "objective"], how="left")
    for column in JUDGED[:5]:
        cells[column] = merged[column].to_numpy(dtype=bool)
    cells["fell_in_run"], cells["collapsed_in_run"] = own, collapsed(every, *tokens)
    return cells.drop(columns="group")


def _whole_mean(groups: "pandas.api.typing.DataFrameGroupBy", column: str) -> pandas.Series:
    """Return the means of groups' values, NaN where one is missing."""
    return groups[column].mean().where(groups[column].count() == groups.size())


def _verdicts(frame: pandas.DataFrame, of: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows with their verdicts; ``of`` has the group's row for each."""
    score, half = of["score_delta"].to_numpy(), of["score_half"].to_numpy()
    delta, own = frame["delta"].to_numpy(), frame["half"].to_numpy()
    frame["succeeded"] = rose(score, half)
    frame["interfered"] = interference(delta[:, None], own[:, None], score, half)[:, 0]
    frame["fell"], frame["rose"] = fell(delta, own), rose(delta, own)
    every = frame.groupby("group")["fell"].transform("all")
    tokens = (of[name].to_numpy() for name in ("tokens", "tokens_initial", "max_tokens"))
    frame["collapsed"] = collapsed(every, *tokens)
    return frame
