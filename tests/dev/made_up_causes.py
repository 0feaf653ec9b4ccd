"""Made-up tables of the studies of causes: every prediction is met, unless results are changed."""

from collections.abc import Mapping
from pathlib import Path

import pandas
from causes_natural import ARMS, BASELINE, Cases
from causes_natural import cases as read_cases
from causes_planted import MODELS, NONE, PLANTED, Run
from causes_planted import runs as read_runs

from benchmark.leaderboard.results.rows import COLUMNS

FELL, ROSE = -0.4, 0.3
NO_FALL = "no decline at the diagnosed steps"
NATURAL = {f"model-{k}": "weights" for k in range(4)} | {
    f"model-{k}": "parameters and optimizer" for k in range(4, 8)
}
FLAGS = ("reference", "interfered", "fell", "rose", "succeeded", "collapsed", "collapsed_in_run")
Rows = list[dict[str, object]]
Diagnoses = dict[str, tuple[pandas.DataFrame, pandas.DataFrame]]  # attribution.csv, steps.csv
Finals = Mapping[
    tuple[str, str], tuple[float, float]
]  # arm, model -> clarity's change, the score's


def planted(why: Mapping[tuple[str, int], str] | None = None) -> Diagnoses:
    """Return the diagnoses by study; of the plants in ``why`` alone, if it is given."""
    names = dict.fromkeys(name for name, _ in why) if why else PLANTED
    found: Diagnoses = {}
    for study in {PLANTED[name].study for name in names}:
        attribution, steps = [], []
        for name in (each for each in names if PLANTED[each].study == study):
            for number in range(MODELS):
                usual = NO_FALL if name == NONE else f"{PLANTED[name].cause} 100%"
                told = (why or {}).get((name, number), usual)
                place = {"model": f"model-{number}", "objectives": name, "seed": 0}
                rows, changes = _diagnosis(name, told)
                attribution += [place | row for row in rows]
                steps += [place | row for row in changes]
        found[study] = pandas.DataFrame(attribution), pandas.DataFrame(steps)
    return found


def runs(why: Mapping[tuple[str, int], str] | None = None) -> list[Run]:
    """Return the runs of :func:`planted`."""
    tables = planted(why)
    kept = [(name, tables[own.study]) for name, own in PLANTED.items() if own.study in tables]
    return [run for name, both in kept for run in read_runs(name, *both)]


def _diagnosis(name: str, told: str) -> tuple[Rows, Rows]:
    """Return a run's rows: the last of the objectives fell at the first of two steps, if any."""
    lowers = PLANTED[name].lowers
    rows: Rows = [{"objective": each, "why": NO_FALL} for each in lowers[:-1]]
    usual: dict[str, object] = {f"realised/1/{each}": 0.02 for each in lowers}
    usual |= {f"realised/1/standard_error/{each}": 0.01 for each in lowers}
    first = 0.02 if told == NO_FALL else -0.1
    changes = [{**usual, f"realised/1/{lowers[-1]}": change} for change in (first, 0.05)]
    return [*rows, {"objective": lowers[-1], "why": told}], changes


def arm(name: str, finals: Finals | None = None) -> pandas.DataFrame:
    """Return the rows of the baseline or an arm: clarity falls unless it is its cause's arm."""
    study, algorithm = {"baseline": BASELINE, **ARMS}[name]
    rows: Rows = []
    for model, cause in NATURAL.items():
        usual = (ROSE, 0.2) if name == cause else (FELL, 0.2)
        change, score = (finals or {}).get((name, model), usual)
        run = {"study": study, "model": model, "seed": 0, "algorithm": algorithm}
        run |= {"score_delta": score} | dict.fromkeys(FLAGS, False)
        for objective, delta in (("accuracy", ROSE), ("clarity", change)):
            rows.append({**run, "objective": objective, "delta": delta, "fell_in_run": delta < 0})
    return pandas.DataFrame(rows).reindex(columns=COLUMNS)


def causes_found() -> pandas.DataFrame:
    """Return the baseline's ``attribution.csv``."""
    return pandas.DataFrame(
        {"model": model, "seed": 0, "objective": objective, "coverage": 0.4, "why": why}
        for model, cause in NATURAL.items()
        for objective, why in (("accuracy", NO_FALL), ("clarity", f"{cause} 80%, unresolved 20%"))
    )


def cases(finals: Finals | None = None) -> Cases:
    """Return the cases, with some changes (of clarity, of the score) in some arms."""
    return read_cases(arm("baseline"), causes_found(), {name: arm(name, finals) for name in ARMS})


def write(folder: Path) -> None:
    """Write all tables as studies are published."""
    for study, (attribution, steps) in planted().items():
        _write(folder / study / "diagnosis" / "attribution.csv", attribution)
        _write(folder / study / "diagnosis" / "steps.csv", steps)
    _write(folder / BASELINE[0] / "diagnosis" / "attribution.csv", causes_found())
    _write(folder / BASELINE[0] / "cells.csv", arm("baseline"))
    for study in {study for study, _ in ARMS.values()}:
        own = [arm(name) for name, (where, _) in ARMS.items() if where == study]
        _write(folder / study / "cells.csv", pandas.concat(own))


def _write(file: Path, table: pandas.DataFrame) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False)
