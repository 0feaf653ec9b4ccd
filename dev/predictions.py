"""Check the predictions of ``results/predictions/laboratory.md`` by the rules written there.

    python dev/predictions.py                 # of the published study
    python dev/predictions.py FOLDER          # of a board, whose study may still be training

Nothing is decided here that the file leaves open, but for this: *finals differ on average* (5) is
the mean over models and objectives of the differences' size; the *order of rules* over several
mixtures (8) is that of the primary metric of their runs together; and the interval of a difference
is the one that the leaderboards' ranks go by. A prediction is undecided as long as a run that it
speaks of is missing, or an interval that it needs is unknown.
"""

import math
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
from scipy import stats
from wording import count, estimate, percent

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.interference.intervals import UNKNOWN, Interval
from benchmark.interference.shares import cluster_interval
from benchmark.interference.statistics import interquartile_mean
from benchmark.leaderboard.frames.gains import (
    Gains,
    difference_interval,
    gain_interval,
    run_gains,
    scales,
)
from benchmark.leaderboard.frames.ranking import gain_interval as score_interval
from benchmark.leaderboard.frames.ranking import numbered
from benchmark.leaderboard.reading import read_table, typed
from benchmark.leaderboard.results.rows import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "results" / "leaderboards" / "laboratory"
WRITTEN = ROOT / "results" / "predictions" / "laboratory.md"

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


class Outcome(NamedTuple):
    """What came of a prediction.

    Attributes:
        found: Its values with their intervals, in words.
        met: Whether it is met; None while undecided.
    """

    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: "undecided"}[self.met]


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


def trade_offs(runs: Runs) -> Outcome:
    found = {
        (rule, mixture): gain_interval(gains)
        for mixture in PLANTED
        for rule, gains in runs.gains((mixture,), RULES).items()
    }
    lost = runs.lost(PLANTED, ("linear",))
    words = f"`linear` lost an objective on {count(lost)}"
    whole = runs.whole(PLANTED, (*RULES, *REFERENCES))
    if not found or any(math.isnan(each.low) for each in found.values()):
        return Outcome(words, None)
    above = sum(each.low > 0 for each in found.values())
    rule, mixture = max(found, key=lambda key: found[key].low)
    words = (
        f"{above} of {len(found)} intervals above 0, the highest that of `{rule}` on `{mixture}`: "
        f"{estimate(found[rule, mixture])}; {words}"
    )
    return Outcome(words, _decided(whole, not above and lost.sum() >= 8))


def negative_control(runs: Runs) -> Outcome:
    kept, found = ~runs.lost(COMMON, ("linear",)), runs.found(COMMON, ("linear",))
    words = f"`linear` lost nothing on {count(kept)}, found the style on {count(found)}"
    met = kept.sum() >= 4 and found.sum() >= 3
    return Outcome(words, _decided(runs.whole(COMMON, ("linear",)), met))


def linear_misses(runs: Runs) -> Outcome:
    found = runs.found(RARE, ("linear",))
    words = f"`linear` found it on {count(found)}"
    return Outcome(words, _decided(runs.whole(RARE, ("linear",)), found.sum() <= 2))


def gradients_find(runs: Runs) -> Outcome:
    gradients, others = (
        ("mgda-normalized", "upgrad"),
        ("linear", "ctwa", "lagrangian", "mo_grpo"),
    )
    one, other = share(runs.found(RARE, gradients)), share(runs.found(RARE, others))
    words = f"{percent(one)} against {percent(other)}"
    whole = runs.whole(RARE, (*gradients, *others))
    return Outcome(words, _decided(whole, one.estimate > other.estimate))


def ctwa_stays(runs: Runs) -> Outcome:
    difference = runs.difference(EVERY, "ctwa", "linear")
    finals = runs.of(EVERY, ("ctwa", "linear")).pivot_table(
        "final", [*MODEL, "objective"], "algorithm"
    )
    pairs = finals.reindex(columns=["ctwa", "linear"])
    apart = float((pairs["ctwa"] - pairs["linear"]).abs().mean())
    words = f"gains differ by {estimate(difference)}, finals by {apart:.3f} on average"
    met = difference.low <= 0 <= difference.high and apart < 0.05
    return Outcome(words, _decided(_compared(runs, EVERY, "ctwa", difference), met))


def upgrad_above(runs: Runs) -> Outcome:
    difference = runs.difference(EVERY, "upgrad", "linear")
    words = f"gains differ by {estimate(difference)}"
    whole = _compared(runs, EVERY, "upgrad", difference)
    return Outcome(words, _decided(whole, difference.low > 0))


def pama_least(runs: Runs) -> Outcome:
    cells = numbered(runs.of(EVERY, RULES))
    found = {str(name): score_interval(own) for name, own in cells.groupby("algorithm")}
    own = found.pop("pama-completion", None)
    if own is None or not found:
        return Outcome("no run yet", None)
    least = min(found, key=lambda name: found[name].estimate)
    words = (
        f"{estimate(own, 3)}; the smallest of the others, `{least}`: {estimate(found[least], 3)}"
    )
    return Outcome(words, _decided(runs.whole(EVERY, RULES), found[least].estimate >= own.estimate))


def orders_differ(runs: Runs) -> Outcome:
    tables = [_values(runs.gains(mixtures, TEN)) for mixtures in (PLANTED, RARE)]
    whole = runs.whole((*PLANTED, *RARE), (*TEN, *REFERENCES))
    if any(table.empty or table.isna().any(axis=None) or len(table) < len(TEN) for table in tables):
        return Outcome("not every rule has a run on both", None)
    found = _correlation(tables)
    return Outcome(f"ρ = {estimate(found)}", _decided(whole, found.estimate < 0.7))


def foresight_finds(runs: Runs) -> Outcome:
    found = runs.found(RARE, ("foresight",))
    difference = runs.difference(RARE, "foresight", "linear")
    words = f"found on {count(found)}; gains differ by {estimate(difference)}"
    whole = _compared(runs, RARE, "foresight", difference)
    return Outcome(words, _decided(whole, found.sum() >= 5 and difference.low > 0))


CHECKS: Mapping[int, Callable[[Runs], Outcome]] = {
    1: trade_offs,
    2: negative_control,
    3: linear_misses,
    4: gradients_find,
    5: ctwa_stays,
    6: upgrad_above,
    7: pama_least,
    8: orders_differ,
    9: foresight_finds,
}


def _decided(whole: bool, met: bool) -> bool | None:
    return bool(met) if whole else None


def _compared(runs: Runs, mixtures: Sequence[str], rule: str, difference: Interval) -> bool:
    """Say whether a rule's difference from ``linear`` is of all runs and known."""
    return runs.whole(mixtures, (rule, "linear", *REFERENCES)) and not math.isnan(difference.low)


def share(found: pandas.Series) -> Interval:
    """Return the share of runs, with its interval over models, whose runs are no trials."""
    if found.empty:
        return UNKNOWN
    models = found.index.droplevel("algorithm")
    return cluster_interval(found.astype(float), np.ones(len(found)), list(models))


def _values(gains: Mapping[str, Gains]) -> pandas.DataFrame:
    """Return the runs' worst gains: a row per rule, a column per model."""
    known = {rule: each for rule, each in gains.items() if each.values}
    series = {
        rule: pandas.Series(np.concatenate(each.values), index=each.keys)
        for rule, each in known.items()
    }
    return pandas.DataFrame(series).T


def _correlation(tables: Sequence[pandas.DataFrame]) -> Interval:
    """Return Spearman's correlation of the rules' primary metric on two sets of models.

    The interval is Student's by the jackknife over models, within mixtures, of Fisher's
    transformation: the way a diagnosis has it. There is none if no model changes the order.
    """
    estimate_, variance, freedom = _fisher(tables), 0.0, 0
    for side, table in enumerate(tables):
        for _, columns in table.T.groupby(level="model", sort=False):
            without = []
            for column in columns.index:
                left = list(tables)
                left[side] = table.drop(columns=[column])
                without.append(_fisher(left))
            variance += (len(without) - 1) * float(np.var(without))
            freedom += len(without) - 1
    half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(variance) if variance else math.nan
    bounds = (estimate_, estimate_ - half, estimate_ + half)
    return Interval(*(math.tanh(each) for each in bounds))


def _fisher(tables: Sequence[pandas.DataFrame]) -> float:
    one, other = (interquartile_mean(table.to_numpy(), axis=1) for table in tables)
    rho = stats.spearmanr(one, other).statistic
    return float(np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12)))


def read(folder: Path = PUBLISHED) -> Runs:
    """Return the runs of a published folder or a board."""
    return Runs(typed(read_table(folder, "cells.csv", COLUMNS)))


def check(runs: Runs) -> dict[int, Outcome]:
    """Return what came of each prediction, by its number."""
    return {number: own(runs) for number, own in CHECKS.items()}


def written(file: Path = WRITTEN, checked: Collection[int] = CHECKS) -> dict[int, str]:
    """Return the predictions as they were written, by number.

    Raises:
        CrosstalkError: The file's numbers are not those that are checked.
    """
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", file.read_text(encoding="utf-8"), re.M)
    found = {int(number): text for number, text in rows}
    if list(found) != list(checked):
        raise CrosstalkError(f"{file.name}: numbers: expected {list(checked)}, got {list(found)}")
    return found


def tell(texts: Mapping[int, str], outcomes: Mapping[int, Outcome]) -> None:
    """Print what came of each prediction."""
    for number, outcome in outcomes.items():
        print(f"{number}. {texts[number]}\n   {outcome.verdict}: {outcome.found}\n")


def table(texts: Mapping[int, str], outcomes: Mapping[int, Outcome]) -> str:
    """Return a Markdown table of what came of each prediction."""
    rows = ["| # | prediction | what came | |", "|---|---|---|---|"]
    rows += [
        f"| {n} | {text} | {outcomes[n].found} | {outcomes[n].verdict} |"
        for n, text in texts.items()
    ]
    return "\n".join(rows) + "\n"


def fill(document: Path, parts: Mapping[str, str], *, only_check: bool) -> int:
    """Put texts where a document says ``<!-- name -->`` … ``<!-- end of name -->``.

    Returns 1 if that would change it and ``only_check`` is set, else 0.
    """
    text = made = document.read_text(encoding="utf-8")
    for name, part in parts.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        if made.count(start) != 1 or made.count(end) != 1:
            raise CrosstalkError(f"{document.name}: expected one {start.strip()} and one {end}")
        before, rest = made.split(start)
        made = f"{before}{start}{part}{end}{rest.split(end)[1]}"
    if made != text and not only_check:
        write_text(document, made)
    return int(only_check and made != text)


def main(folder: Path) -> None:
    tell(written(), check(read(folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PUBLISHED)
