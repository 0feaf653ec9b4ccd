"""Make the table of what was tried before a tuned study, and what that cost."""

import json

import pandas

from benchmark.leaderboard.frames.tuning import REFERENCES
from benchmark.leaderboard.pages.markdown import NOTHING
from benchmark.leaderboard.pages.sheet import Cell, Sheet, amount, count

DIVERGED = "diverged"


def tuning_sheet(frame: pandas.DataFrame, note: str) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.frames.tuning.tuning_frame`.

    A row per algorithm, in its order: the published setting, the chosen one, the spread of trials
    and the curve of budgets; and a row for what references cost.
    """
    most = int(frame["trial"].max()) + 1
    budgets = [f"best of {k}" for k in range(1, most + 1)]
    header = ["algorithm", "trials", "as published", "tuned", "least–most", *budgets]
    header += ["setting", "steps", "tokens", "backward passes", "hours"]
    groups = frame.groupby("algorithm", sort=False)
    rows = [_row(str(name), group, most) for name, group in groups]
    return Sheet("tuning", "tuning", "Tuning", header, rows, note=note)


def _row(name: str, trials: pandas.DataFrame, most: int) -> list[Cell]:
    spent = [_sum(trials[key], 0) for key in ("steps", "training_tokens", "backward_passes")]
    spent.append(_sum(trials["hours"], 2))
    if name == REFERENCES:
        return [Cell(name), *[Cell(NOTHING)] * (5 + most), *spent]
    gains = trials["worst_gain"]
    chosen = trials.loc[trials["chosen"]].iloc[0]
    least, greatest = gains.min(), gains.max()
    spread = f"{amount(least).text}–{amount(greatest).text}" if len(trials) > 1 else NOTHING
    curve = [amount(value) for value in trials["best_of"]]
    return [
        Cell(name),
        count(len(trials)),
        _gain(gains.iloc[0]),
        _gain(chosen["worst_gain"]),
        Cell(spread, greatest - least),
        *curve,
        *[Cell(NOTHING)] * (most - len(curve)),
        Cell(_setting(chosen["setting"])),
        *spent,
    ]


def _gain(value: float) -> Cell:
    return Cell(DIVERGED) if pandas.isna(value) else amount(value)


def _setting(text: str) -> str:
    pairs = json.loads(text).items()
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in pairs) or "as published"


def _sum(values: pandas.Series, digits: int) -> Cell:
    return amount(values.sum(min_count=len(values)), digits)
