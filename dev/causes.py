"""Check the predictions of ``results/predictions/causes.md``; tell docs/theory.md what came.

    python dev/causes.py                  # of what is published; writes the part of docs/theory.md
    python dev/causes.py --check          # write nothing; exit status 1 if it would change
    python dev/causes.py FOLDER           # of the folders in FOLDER, such as results/boards

Every rule is in that file. A prediction is undecided as long as a run that it speaks of is missing,
or there are fewer cases than it needs.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import causes_natural as natural
import causes_planted as planted
import predictions
from predictions import PUBLISHED, Outcome


class Results(NamedTuple):
    """What is known of the planted runs, and of the natural declines."""

    runs: Sequence[planted.Run]
    cases: natural.Cases


CHECKS: Mapping[int, Callable[[Results], Outcome]] = {
    **{
        number: lambda results, name=name: planted.outcome(results.runs, name)
        for number, name in enumerate(planted.PLANTED, start=1)
    },
    7: lambda results: natural.sensitivity(results.cases, "weights"),
    8: lambda results: natural.sensitivity(results.cases, "parameters and optimizer"),
    9: lambda results: natural.specificity(results.cases, ("weights", "parameters and optimizer")),
    10: lambda results: natural.crossed(results.cases, "weights", "parameters and optimizer"),
    11: lambda results: natural.specificity(results.cases, ("step size", "loss", "batch")),
}


def read(folder: Path = PUBLISHED) -> Results:
    """Return what the studies' folders in ``folder`` hold; those that are missing have no runs."""
    return Results(planted.read(folder), natural.read(folder))


def check(results: Results) -> dict[int, Outcome]:
    """Return what came of each prediction, by its number."""
    return {number: own(results) for number, own in CHECKS.items()}


def tables(results: Results) -> str | None:
    """Return the tables for docs/theory.md; None if nothing is known."""
    if not results.runs and not results.cases.found:
        return None
    return f"{planted.table(results.runs)}\n\n{natural.table(results.cases)}"


def main(folder: Path | None, *, only_check: bool) -> int:
    """Print what came of the predictions; bring the document up to date with what is published."""
    results = read(folder or PUBLISHED)
    found = predictions.judged("causes", check(results))
    if folder is not None:
        found.tell()
        print(found.below(tables(results)))
        return 0
    return predictions.tell_theory({"causes": (found, tables(results))}, only_check=only_check)


if __name__ == "__main__":
    given = [Path(each) for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(given[0] if given else None, only_check="--check" in sys.argv[1:]))
