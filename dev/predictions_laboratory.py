"""Check the predictions of ``results/predictions/laboratory.md`` by the rules written there.

    python dev/predictions_laboratory.py          # of the published study
    python dev/predictions_laboratory.py FOLDER   # of a board; its study may still be training

Nothing is decided here that the file leaves open, but for this: *finals differ on average* (5) is
the mean over models and objectives of the differences' size; the *order of rules* over several
mixtures (8) is that of the primary metric of their runs together; and the interval of a difference
is the one that the leaderboards' ranks go by. A prediction is undecided as long as a run that it
speaks of is missing, or an interval that it needs is unknown.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas
import predictions
from laboratory import (
    COMMON,
    EVERY,
    MODEL,
    PLANTED,
    PUBLISHED,
    RARE,
    REFERENCES,
    RULES,
    TEN,
    Runs,
    order_correlation,
    read,
    run_values,
    share,
)
from predictions import Outcome
from scipy import stats
from wording import count, estimate, percent

from benchmark.interference.intervals import Interval
from benchmark.leaderboard.frames.gains import gain_interval
from benchmark.leaderboard.frames.ranking import gain_interval as score_interval
from benchmark.leaderboard.frames.ranking import numbered


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
    tables = [run_values(runs.gains(mixtures, TEN)) for mixtures in (PLANTED, RARE)]
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
    return float(np.arctanh(np.clip(order_correlation(tables), -1 + 1e-12, 1 - 1e-12)))


def check(runs: Runs) -> dict[int, Outcome]:
    """Return what came of each prediction, by its number."""
    return {number: own(runs) for number, own in CHECKS.items()}


def main(folder: Path) -> None:
    predictions.judged("laboratory", check(read(folder))).tell()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PUBLISHED)
