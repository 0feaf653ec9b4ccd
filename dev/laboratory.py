"""Read the runs of the main study, ``laboratory``: mixtures, rules, and what they gained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas
import predictions
from scipy import stats

from benchmark.interference.intervals import UNKNOWN, Interval
from benchmark.interference.shares import cluster_interval
from benchmark.interference.statistics import interquartile_mean
from benchmark.leaderboard.frames.gains import Gains, difference_interval, run_gains, scales
from benchmark.leaderboard.reading import read_table, typed
from benchmark.leaderboard.results.rows import COLUMNS

PUBLISHED = predictions.PUBLISHED / "laboratory"
PLANTED, RARE, COMMON = ("lab-long", "lab-split"), ("lab-rare-2", "lab-rare-5"), ("lab-common",)
EVERY = (*PLANTED, *RARE, *COMMON)
MODELS = 5  # of each mixture
TEN = (
    *("linear", "tchebycheff-augmented", "lagrangian", "ctwa", "mo_grpo", "dvao"),
    *("pama-completion", "max_min_covariance", "mgda-normalized", "upgrad"),
)
RULES = (*TEN, "foresight")
REFERENCES = ("single-accuracy", "single-conciseness", "single-clarity")
SERVED = 0.8  # at which all objectives have to end for the style to count as found
MODEL = ["model", "seed"]  # a mixture, and which of the models that were taught it


@dataclass(frozen=True)
class Runs:
    """The runs of the study: a row per run and objective, as ``cells.csv`` has them."""

    cells: pandas.DataFrame

    @cached_property
    def scale(self) -> pandas.DataFrame:
        return scales(self.cells)

    def of(self, mixtures: Sequence[str], rules: Sequence[str]) -> pandas.DataFrame:
        """Return the rows of these mixtures and rules."""
        those = self.cells["model"].isin(mixtures) & self.cells["algorithm"].isin(rules)
        return self.cells[those].reset_index(drop=True)

    def whole(self, mixtures: Sequence[str], rules: Sequence[str]) -> bool:
        """Say whether no run of these is missing."""
        runs = self.of(mixtures, rules).drop_duplicates([*MODEL, "algorithm"])
        return len(runs) == MODELS * len(mixtures) * len(rules)

    def gains(self, mixtures: Sequence[str], rules: Sequence[str]) -> dict[str, Gains]:
        """Return the worst normalised gains of each rule's runs on these mixtures."""
        found = run_gains(self.of(mixtures, rules), self.scale)
        return {rule: found[rule] for rule in rules if rule in found}

    def difference(self, mixtures: Sequence[str], one: str, other: str) -> Interval:
        """Return the difference of two rules' gains with its interval."""
        found = self.gains(mixtures, (one, other))
        if len(found) < 2:
            return UNKNOWN
        return difference_interval(found[one], found[other])

    def found(self, mixtures: Sequence[str], rules: Sequence[str]) -> pandas.Series:
        """Return whether each run ends with all objectives served, by rule and model."""
        runs = self.of(mixtures, rules).groupby(["algorithm", *MODEL], sort=False)
        return runs["final"].min() >= SERVED

    def lost(self, mixtures: Sequence[str], rules: Sequence[str]) -> pandas.Series:
        """Return whether an objective fell by its interval in each run, by rule and model."""
        runs = self.of(mixtures, rules).groupby(["algorithm", *MODEL], sort=False)
        return runs["fell_in_run"].any()


def read(folder: Path = PUBLISHED) -> Runs:
    """Return the runs of a published folder or a board."""
    return Runs(typed(read_table(folder, "cells.csv", COLUMNS)))


def share(found: pandas.Series) -> Interval:
    """Return the share of runs, with its interval over models, whose runs are no trials."""
    if found.empty:
        return UNKNOWN
    models = found.index.droplevel("algorithm")
    return cluster_interval(found.astype(float), np.ones(len(found)), list(models))


def run_values(gains: Mapping[str, Gains]) -> pandas.DataFrame:
    """Return the runs' worst gains: a row per rule, a column per model."""
    known = {rule: each for rule, each in gains.items() if each.values}
    series = {
        rule: pandas.Series(np.concatenate(each.values), index=each.keys)
        for rule, each in known.items()
    }
    return pandas.DataFrame(series).T


def order_correlation(tables: Sequence[pandas.DataFrame]) -> float:
    """Return Spearman's correlation of the rules' primary metric on two sides (:func:`run_values`).

    Both sides have the same rules, in the same order.
    """
    one, other = (interquartile_mean(table.to_numpy(), axis=1) for table in tables)
    return float(stats.spearmanr(one, other).statistic)
