"""Compare natural declines with what became of them under a change of one thing.

A *case* is an objective that fell by its interval under ``linear`` (study causes-baseline), most of
it, at the diagnosed steps, by one cause for which there is an arm. An *arm* is another study, or
another rule, of the same models. It recovers the case if the objective gets back at least half of
its loss while the weighted score still rises at least half as much: an arm that does not train
would recover everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas
from predictions import Outcome
from scipy import stats
from wording import causes_of, count

from benchmark.leaderboard.reading import read_table, typed
from benchmark.leaderboard.results.rows import COLUMNS

BASELINE = ("causes-baseline", "linear")
ARMS: Mapping[str, tuple[str, str]] = {  # by the cause they are to remove: study, algorithm
    "weights": ("causes-rules", "max_min_covariance"),
    "parameters and optimizer": ("causes-rules", "mgda-normalized"),
    "step size": ("causes-small-steps", "linear"),
    "loss": ("causes-dr-grpo", "linear"),  # no cause is called so, nor batch: nothing is expected
    "batch": ("causes-large-batch", "linear"),
}
MOST = 50  # per cent of the decline at the diagnosed steps that a cause has to have
COVERED = 0.25  # of the whole decline, by the diagnosed steps
HALF = 0.5
FEWEST = 3  # cases that a prediction needs
CERTAIN = 0.05

Key = tuple[str, int, str]  # model, seed, objective


class Case(NamedTuple):
    """A decline, with its cause by the diagnosis and whether each arm recovers it."""

    key: Key
    cause: str
    recovered: Mapping[str, bool]


class Cases(NamedTuple):
    """The cases, and whether every run of the baseline and the arms is there."""

    found: Sequence[Case]
    whole: bool


class Change(NamedTuple):
    """How far an objective and the weighted score rose in a run."""

    objective: float
    score: float


def read(folder: Path) -> Cases:
    """Return the cases of the published studies in a folder."""
    why = folder / BASELINE[0] / "diagnosis" / "attribution.csv"
    if not why.is_file():
        return Cases([], whole=False)
    cells = _cells(folder, *BASELINE)
    arms = {name: _cells(folder, *own) for name, own in ARMS.items()}
    return cases(cells, pandas.read_csv(why), arms)


def cases(
    cells: pandas.DataFrame, attribution: pandas.DataFrame, arms: Mapping[str, pandas.DataFrame]
) -> Cases:
    """Return the cases from rows as ``cells.csv`` and ``attribution.csv`` have them."""
    before, after = changes(cells), {name: changes(own) for name, own in arms.items()}
    fell = {key for key, hit in zip(before, cells["fell_in_run"], strict=True) if hit}
    found = []
    for row in attribution.itertuples():
        key = (str(row.model), int(row.seed), str(row.objective))
        shares = causes_of(str(row.why))
        cause = max(shares, key=lambda each: shares[each], default="")
        if key in fell and cause in ARMS and shares[cause] >= MOST and row.coverage >= COVERED:
            pairs = {name: own[key] for name, own in after.items() if key in own}
            each = {name: recovers(before[key], own) for name, own in pairs.items()}
            found.append(Case(key, cause, each))
    diagnosed = attribution[["model", "seed", "objective"]].itertuples(index=False, name=None)
    whole = bool(before) and all(set(own) == set(before) for own in after.values())
    return Cases(found, whole and set(diagnosed) == set(before))


def changes(cells: pandas.DataFrame) -> dict[Key, Change]:
    """Return the changes of a study's runs."""
    names = ["model", "seed", "objective", "delta", "score_delta"]
    rows = cells[names].itertuples(index=False, name=None)
    return {(str(m), int(seed), str(o)): Change(*each) for m, seed, o, *each in rows}


def recovers(before: Change, after: Change) -> bool:
    """Say whether an objective that fell before gets half of that back, while the score rises."""
    regained = after.objective - before.objective >= HALF * -before.objective
    return regained and after.score >= HALF * max(before.score, 0.0) and after.score > 0


def sensitivity(cases: Cases, cause: str) -> Outcome:
    """Return whether at least half of a cause's declines recover in its arm."""
    hits = _recovered(cases, cause, [case for case in cases.found if case.cause == cause])
    return Outcome(count(hits), _decided(cases, hits, sum(hits) >= HALF * len(hits)))


def specificity(cases: Cases, arms: Iterable[str]) -> Outcome:
    """Return whether each arm recovers less than half of the declines of other causes."""
    words, verdicts = [], []
    for arm in arms:
        hits = _recovered(cases, arm, [case for case in cases.found if case.cause != arm])
        words.append(f"{arm}: {count(hits)}")
        verdicts.append(_decided(cases, hits, sum(hits) < HALF * len(hits)))
    met = None if None in verdicts else all(verdicts)
    return Outcome("; ".join(words), False if False in verdicts else met)


def crossed(cases: Cases, one: str, other: str) -> Outcome:
    """Return whether declines recover in their own cause's arm more often than in the other's.

    McNemar's exact test over the cases of both causes: of those that recover in one of the two arms
    alone, the arm is the own one as often as not (https://doi.org/10.1007/BF02295996).
    """
    both = [case for case in cases.found if case.cause in (one, other)]
    pairs = [
        (case.recovered[case.cause], case.recovered[other if case.cause == one else one])
        for case in both
        if {one, other} <= case.recovered.keys()
    ]
    own, wrong = pairs.count((True, False)), pairs.count((False, True))
    p = float(stats.binomtest(own, own + wrong).pvalue) if own + wrong else 1.0
    words = f"{own} in the own arm alone, {wrong} in the other's alone (p = {p:.2g})"
    able = own + wrong > 0 and 2 * 0.5 ** (own + wrong) < CERTAIN  # else no split is significant
    decided = cases.whole and (able or own <= wrong) and len(pairs) >= FEWEST
    return Outcome(words, own > wrong and p < CERTAIN if decided else None)


def table(cases: Cases) -> str:
    """Return how many declines of each cause each arm recovers; the cause's own arm is bold."""
    causes = list(dict.fromkeys(case.cause for case in cases.found))
    rows = [f"| cause | cases | {' | '.join(ARMS)} |", "|---" * (len(ARMS) + 2) + "|"]
    for cause in causes:
        own = [case for case in cases.found if case.cause == cause]
        cells = [count(_recovered(cases, arm, own)) for arm in ARMS]
        marked = [f"**{c}**" if a == cause else c for a, c in zip(ARMS, cells, strict=True)]
        rows.append(f"| {cause} | {len(own)} | {' | '.join(marked)} |")
    return "\n".join(rows)


def _recovered(cases: Cases, arm: str, those: Sequence[Case]) -> list[bool]:
    return [case.recovered[arm] for case in those if arm in case.recovered]


def _decided(cases: Cases, hits: Sequence[bool], met: bool) -> bool | None:
    return bool(met) if cases.whole and len(hits) >= FEWEST else None


def _cells(folder: Path, study: str, algorithm: str) -> pandas.DataFrame:
    """Return the rows of an arm; none if its study is not there."""
    if not (folder / study).is_dir():
        return pandas.DataFrame(columns=list(COLUMNS))
    cells = typed(read_table(folder / study, "cells.csv", COLUMNS))
    return cells[cells["algorithm"] == algorithm]
