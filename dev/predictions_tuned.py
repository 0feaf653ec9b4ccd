"""Check the predictions of ``results/predictions/laboratory-tuned.md`` by the rules written there.

    python dev/predictions_tuned.py            # of the published studies
    python dev/predictions_tuned.py FOLDER     # of the tuned study's board, beside the study's own

Both studies have the same models, references and, but for the settings that tuning changed, cells.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import laboratory
import numpy as np
import pandas
import predictions
from laboratory import EVERY, PLANTED, RARE, REFERENCES, RULES, Runs, order_correlation, run_values
from predictions import Outcome
from wording import count, estimate

from benchmark.interference.intervals import Interval
from benchmark.leaderboard.frames.gains import difference_interval, gain_interval

PUBLISHED = laboratory.PUBLISHED.with_name("laboratory-tuned")
AHEAD = ("pama-completion", "foresight", "mgda-normalized")  # of `linear`, as published
ALIKE = 0.7  # at which the orders count as the same
OFTEN = 4  # models of ten, on which a style counts as found often


class Tuning:
    """The laboratory as published and tuned.

    Attributes:
        published: Its runs as published.
        tuned: Its runs with the settings chosen.
        trials: The trials, as ``tuning.csv`` has them.
    """

    def __init__(self, published: Runs, tuned: Runs, trials: pandas.DataFrame) -> None:
        self.published, self.trials = published, trials
        self.tuned = Runs(tuned.cells.assign(study=published.cells["study"].iloc[0]))

    @property
    def whole(self) -> bool:
        """Whether no run of either study is missing."""
        return all(r.whole(EVERY, (*RULES, *REFERENCES)) for r in (self.published, self.tuned))

    @cached_property
    def tried(self) -> list[str]:
        """The rules that have something to tune."""
        sizes = self.trials.groupby("algorithm", sort=False).size()
        return [str(rule) for rule in sizes[sizes > 1].index]

    @cached_property
    def leads(self) -> dict[str, float]:
        """By how much the chosen setting led the published one, of every rule that changed."""
        rows = self.trials.set_index("algorithm")
        chosen = rows[rows["chosen"] & (rows["trial"] > 0)]["worst_gain"]
        own = rows[rows["trial"] == 0]["worst_gain"]
        return {str(rule): float(gain - own[rule]) for rule, gain in chosen.items()}

    def difference(self, rule: str, mixtures: Sequence[str] = EVERY) -> Interval:
        """Return what a rule's tuned setting gains over its published one."""
        tuned, published = (r.gains(mixtures, (rule,))[rule] for r in (self.tuned, self.published))
        return difference_interval(tuned, published)


def tuning_gains_little(found: Tuning) -> Outcome:
    gained = [rule for rule in found.leads if found.difference(rule).low > 0]
    words = f"{len(gained)} of {len(found.leads)} changed rules{_those(gained)}"
    return Outcome(words, len(gained) <= 2)


def weights_close_no_gap(found: Tuning) -> Outcome:
    differences = {rule: found.tuned.difference(EVERY, rule, "linear") for rule in AHEAD}
    ahead = [rule for rule, each in differences.items() if each.low > 0]
    words = ", ".join(f"`{rule}` {estimate(each)}" for rule, each in differences.items())
    return Outcome(f"{len(ahead)} of {len(AHEAD)}: {words}", len(ahead) >= 2)


def order_stays(found: Tuning) -> Outcome:
    rho = order(found)
    return Outcome(f"ρ = {rho:.2f}", rho >= ALIKE)


def nothing_for_nothing(found: Tuning) -> Outcome:
    gains = {
        (rule, mixture): gain_interval(found.tuned.gains((mixture,), (rule,))[rule])
        for mixture in PLANTED
        for rule in found.tried
    }
    above = [key for key, each in gains.items() if each.low > 0]
    rule, mixture = max(gains, key=lambda key: gains[key].low)
    words = f"{len(above)} of {len(gains)} intervals above 0, the highest that of `{rule}` on "
    return Outcome(f"{words}`{mixture}`: {estimate(gains[rule, mixture])}", not above)


def rare_stays_rare(found: Tuning) -> Outcome:
    models = {rule: found.tuned.found(RARE, (rule,)) for rule in found.tried}
    best = max(models, key=lambda rule: int(models[rule].sum()))
    often = [rule for rule, own in models.items() if own.sum() >= OFTEN]
    words = f"most often by `{best}`, on {count(models[best].tolist())}"
    return Outcome(words, not often)


def choosing_flatters(found: Tuning) -> Outcome:
    if not found.leads:
        return Outcome("no rule changed", None)
    lead = float(np.mean(list(found.leads.values())))
    new = float(np.mean([found.difference(rule).estimate for rule in found.leads]))
    return Outcome(f"{lead:+.2f} in the trials, {new:+.2f} on the study's models", lead > new)


CHECKS: Mapping[int, Callable[[Tuning], Outcome]] = {
    1: tuning_gains_little,
    2: weights_close_no_gap,
    3: order_stays,
    4: nothing_for_nothing,
    5: rare_stays_rare,
    6: choosing_flatters,
}


def order(found: Tuning) -> float:
    """Return Spearman's correlation of the rules' primary metric, as published and tuned."""
    sides = [run_values(runs.gains(EVERY, RULES)) for runs in (found.published, found.tuned)]
    return order_correlation([side.loc[list(RULES)] for side in sides])


def _those(rules: Sequence[str]) -> str:
    return ": " + ", ".join(f"`{rule}`" for rule in rules) if rules else ""


def read(folder: Path = PUBLISHED) -> Tuning | None:
    """Return both studies; None if the tuned one is not there."""
    if not (folder / "tuning.csv").is_file():
        return None
    trials = pandas.read_csv(folder / "tuning.csv")
    published = laboratory.read(folder.with_name(laboratory.PUBLISHED.name))
    return Tuning(published, laboratory.read(folder), trials)


def check(found: Tuning | None) -> dict[int, Outcome]:
    """Return what came of each prediction, by its number; undecided until all runs are there."""
    if found is None or not found.whole:
        return {number: Outcome("not all runs are published", None) for number in CHECKS}
    return {number: own(found) for number, own in CHECKS.items()}


def main(folder: Path) -> None:
    predictions.judged("laboratory-tuned", check(read(folder))).tell()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PUBLISHED)
