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
from predictions import Outcome

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "results" / "leaderboards"
WRITTEN = ROOT / "results" / "predictions" / "causes.md"
THEORY = ROOT / "docs" / "theory.md"
NOTHING = "Nothing is published of these studies yet.\n"


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


def written() -> dict[int, str]:
    """Return the predictions as they were written, by number."""
    return predictions.written(WRITTEN, CHECKS)


def told(results: Results) -> str:
    """Return the tables for docs/theory.md."""
    if not results.runs and not results.cases.found:
        return NOTHING
    judged = predictions.table(written(), check(results))
    return "\n\n".join((planted.table(results.runs), natural.table(results.cases), judged))


def main(folder: Path | None, *, only_check: bool) -> int:
    """Print what came of the predictions; bring the document up to date with what is published."""
    results = read(folder or PUBLISHED)
    predictions.tell(written(), check(results))
    if folder is not None:
        print(told(results))
        return 0
    return predictions.fill(THEORY, {"causes": told(results)}, only_check=only_check)


if __name__ == "__main__":
    given = [Path(each) for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(given[0] if given else None, only_check="--check" in sys.argv[1:]))
