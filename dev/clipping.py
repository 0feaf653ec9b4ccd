"""Check the predictions for the studies of clipping; tell docs/theory.md what came.

    python dev/clipping.py            # of what is published; writes the part of docs/theory.md
    python dev/clipping.py --check    # write nothing; exit status 1 if it would change

Every rule is in ``results/predictions/``. All are undecided as long as a study is not published.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import predictions
from facts_quick import named, resolved
from predictions import PUBLISHED, Outcome
from scipy.stats import binomtest
from wording import count, estimate, percent

from benchmark.diagnosis.samples import KINDS, UNCLIPPED_WEIGHT, UPDATE, WEIGHT
from benchmark.interference.intervals import Interval
from benchmark.leaderboard.results.diagnosed import without_repeats

STUDIES = {"clipping": 0.01, "clipping-tight": 0.1}  # share of tokens left out in a clipped step
DERIVATIVE, COVARIANCE = 0.95, 0.8  # of the resolved records, at least
SLOPE = (0.8, 1.2)
SIGNIFICANT = 0.05
SHARE = "clipped_fraction/1"
STEP = ["model", "objectives", "algorithm", "seed", "step"]
NUMBERS = range(1, 6)


class Results(NamedTuple):
    """What is published of the study's diagnosis.

    Attributes:
        law: A row per kind of prediction and split, of ``law.csv``; all algorithms together.
        steps: A row per diagnosed step, with the share of clipped tokens.
        changes: A row per record whose change is told from 0, with that share.
        clipped: The share above which a step counts as clipped.
    """

    law: pandas.DataFrame
    steps: pandas.DataFrame
    changes: pandas.DataFrame
    clipped: float


def read(study: str, folder: Path = PUBLISHED) -> Results | None:
    """Return what is published of a study; None if nothing is."""
    diagnosis = folder / study / "diagnosis"
    if not diagnosis.is_dir():
        return None
    law = pandas.read_csv(diagnosis / "law.csv", dtype={"value": str})
    steps = pandas.read_csv(diagnosis / "steps.csv")[[*STEP, SHARE]]
    changes = resolved(without_repeats(pandas.read_csv(diagnosis / "changes.csv")))
    law = law[law["algorithm"] == "all"]
    return Results(law, steps, changes.merge(steps, on=STEP), STUDIES[study])


def check(results: Results | None) -> dict[int, Outcome]:
    """Return what came of each prediction, by its number."""
    if results is None:
        return {number: Outcome("not published", None) for number in NUMBERS}
    bites = results.steps[SHARE] > results.clipped
    enough = bool(bites.mean() >= 0.5)
    slope = measured(results, UPDATE, "slope")
    return {
        1: Outcome(count(bites.tolist()), enough),
        2: at_least(measured(results, UPDATE, "changed_agreement"), DERIVATIVE),
        3: at_least(measured(results, WEIGHT, "changed_agreement"), COVARIANCE),
        4: compared(results, enough=enough),
        5: Outcome(estimate(slope, sign=""), slope.low <= SLOPE[1] and slope.high >= SLOPE[0]),
    }


def measured(results: Results, kind: str, measure: str, **split: str) -> Interval:
    """Return a measure of one kind of prediction, over all records or those of a split."""
    split = split or {"split": "all", "value": "all"}
    own = results.law[results.law["kind"] == kind]
    for column, value in split.items():
        own = own[own[column] == value]
    (row,) = own.to_dict("records")
    return named(row, measure)


def at_least(share: Interval, bound: float) -> Outcome:
    return Outcome(percent(share), share.estimate >= bound)


def compared(results: Results, *, enough: bool) -> Outcome:
    """Return whether counting the clipping helps, where the two covariances disagree."""
    clipped = results.changes[results.changes[SHARE] > results.clipped]
    clipped = clipped[clipped[[WEIGHT, UNCLIPPED_WEIGHT]].notna().all(axis=1)]
    sign = np.sign(clipped["realised"])
    right, other = (np.sign(clipped[kind]) == sign for kind in (WEIGHT, UNCLIPPED_WEIGHT))
    better, worse = int((right & ~other).sum()), int((other & ~right).sum())
    p = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    found = (
        f"right in {better} where the unclipped one is wrong, wrong in {worse} where it is right"
    )
    met = better > worse if enough and p < SIGNIFICANT else None
    return Outcome(f"{found}, of {len(clipped)} (p = {p:.2g})", met)


def table(results: Results) -> str:
    """Return how often each kind of prediction has the sign, by the share of clipped tokens."""
    splits = results.law.loc[results.law["split"] == "clipped", "value"].unique()
    heads = [f"{label} clipped" for label in splits]
    rows = [
        f"| {' | '.join(['sign of resolved changes', 'all records', *heads, 'slope, all'])} |",
        f"|{'---|' * (len(heads) + 3)}",
    ]
    for kind, caption in KINDS.items():
        parts = [measured(results, kind, "changed_agreement")]
        parts += [
            measured(results, kind, "changed_agreement", split="clipped", value=value)
            for value in splits
        ]
        cells = ["–" if np.isnan(part.estimate) else percent(part) for part in parts]
        cells.append(estimate(measured(results, kind, "slope"), sign=""))
        rows.append(f"| {caption} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main(*, only_check: bool) -> int:
    """Print what came of the predictions; bring the document up to date with what is published."""
    results = {study: read(study) for study in STUDIES}
    parts = {
        study: (predictions.judged(study, check(own)), None if own is None else table(own))
        for study, own in results.items()
    }
    return predictions.tell_theory(parts, only_check=only_check)


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
