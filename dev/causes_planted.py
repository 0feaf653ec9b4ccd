"""Compare the causes that a diagnosis found with those that were planted.

What a run is trained under is an objective set that is called after the planted cause. Its main
cause has the largest share of what its objectives lost at the diagnosed steps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas
from predictions import Outcome
from wording import causes_of, count

from benchmark.diagnosis.attribution import CAUSES, UNRESOLVED
from benchmark.diagnosis.resolution import CERTAIN

MODELS = 6
FEWEST = 4  # runs with a decline that a prediction needs
NO_DECLINE = "no decline"
NONE = "none"


class Planted(NamedTuple):
    """Where a cause was planted, what it is called, and which objectives it lowers."""

    study: str
    cause: str
    lowers: tuple[str, ...]


PLANTED: Mapping[str, Planted] = {  # by objective set
    "trade-off": Planted("causes", "trade-off", ("brevity", "verbosity")),
    "weights": Planted("causes", "weights", ("clarity",)),
    "clipping": Planted("causes-clipping", "clipping", ("conciseness",)),
    "step-size": Planted("causes-step-size", "step size", ("accuracy",)),
    "loss": Planted("causes-loss", "parameters and optimizer", ("clarity",)),
    NONE: Planted("causes", NO_DECLINE, ("conciseness", "clarity")),
}


class Run(NamedTuple):
    """A run, by what was planted, with the cause found; :data:`NO_DECLINE` where none fell."""

    planted: str
    model: str
    seed: int
    found: str

    @property
    def right(self) -> bool:
        """Whether the planted cause was found; where none was, that no other was."""
        own = PLANTED[self.planted].cause
        return self.found == own or (own == NO_DECLINE and self.found == UNRESOLVED)


def read(folder: Path) -> list[Run]:
    """Return the diagnosed runs of the published studies in a folder."""
    found: list[Run] = []
    for name, own in PLANTED.items():
        diagnosis = folder / own.study / "diagnosis"
        if diagnosis.is_dir():
            tables = (pandas.read_csv(diagnosis / f"{n}.csv") for n in ("attribution", "steps"))
            found += runs(name, *tables)
    return found


def runs(name: str, attribution: pandas.DataFrame, steps: pandas.DataFrame) -> list[Run]:
    """Return the runs of one planted cause from the tables of its study's diagnosis."""
    keys, lowers = ["model", "seed"], PLANTED[name].lowers
    own = attribution[(attribution["objectives"] == name) & attribution["objective"].isin(lowers)]
    found = []
    for (model, seed), rows in own.groupby(keys, sort=False):
        here = steps[(steps["objectives"] == name) & (steps["model"] == model)]
        fell = {each: decline(here[here["seed"] == seed], each) for each in rows["objective"]}
        total = dict.fromkeys(CAUSES, 0.0)
        for objective, why in zip(rows["objective"], rows["why"], strict=True):
            for cause, percent in causes_of(why).items():
                total[cause] += percent * fell[objective]
        main = max(total, key=lambda cause: total[cause])
        found.append(Run(name, str(model), int(seed), main if total[main] > 0 else NO_DECLINE))
    return found


def decline(steps: pandas.DataFrame, objective: str) -> float:
    """Return how far an objective fell at the steps at which it did by its interval."""
    change = steps[f"realised/1/{objective}"]
    error = steps[f"realised/1/standard_error/{objective}"]
    return float(-change[change + CERTAIN * error < 0].sum())


def outcome(runs: Sequence[Run], name: str) -> Outcome:
    """Return whether the planted cause was found in all runs that declined but one at most."""
    own, judged = _judged(runs, name)
    right = [run.right for run in judged]
    others = sorted({run.found for run in judged if not run.right})
    words = f"{count(right)}" + (f"; otherwise {', '.join(others)}" if others else "")
    decided = len(own) == MODELS and len(judged) >= FEWEST
    return Outcome(words, right.count(False) <= 1 if decided else None)


def _judged(runs: Sequence[Run], name: str) -> tuple[list[Run], list[Run]]:
    """Return the runs of one planted cause, and those of them that are evidence."""
    own = [run for run in runs if run.planted == name]
    return own, own if name == NONE else [run for run in own if run.found != NO_DECLINE]


def table(runs: Sequence[Run]) -> str:
    """Return the matrix of planted and found causes: runs, and the share that is right."""
    columns = (*CAUSES, NO_DECLINE)
    rows = [f"| planted | {' | '.join(columns)} | found |", "|---" * (len(columns) + 2) + "|"]
    for name, planted in PLANTED.items():
        own, judged = _judged(runs, name)
        numbers = [str(sum(run.found == cause for run in own)) for cause in columns]
        cells = [
            f"**{n}**" if c == planted.cause else n for c, n in zip(columns, numbers, strict=True)
        ]
        rows.append(f"| {name} | {' | '.join(cells)} | {count([run.right for run in judged])} |")
    return "\n".join(rows)
