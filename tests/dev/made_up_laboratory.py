"""A made-up study `laboratory`: every prediction is met, unless results are changed."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas
from laboratory import COMMON, EVERY, MODELS, PLANTED, RARE, REFERENCES, RULES, TEN

from benchmark.leaderboard.results.evidence import judged
from benchmark.leaderboard.results.rows import COLUMNS

OBJECTIVES = ("accuracy", "conciseness", "clarity")
INITIAL = (0.5, 0.5, 0.3)
SERVED, LOST = (0.95, 0.9, 0.85), (0.9, 0.9, 0.1)  # finals
TRIED = ("linear", "ctwa", "foresight")  # rules with something to tune
Finals = Sequence[float]
Results = Callable[[int], Finals]  # of the model's number, 0 to 4
Changes = Mapping[tuple[str, str], Finals | Results]  # rule, mixture -> its results there


def made_up(changes: Changes | None = None) -> pandas.DataFrame:
    """Return the rows of the study's runs, as ``cells.csv`` has them."""
    rows = [
        row
        for mixture in EVERY
        for number in range(MODELS)
        for rule in (*RULES, *REFERENCES)
        for row in _run(rule, mixture, number, changes or {})
    ]
    frame = judged(pandas.DataFrame(rows))
    return frame.reindex(columns=COLUMNS)


def _run(rule: str, mixture: str, number: int, changes: Changes) -> list[dict[str, object]]:
    finals = changes.get((rule, mixture), _expected(rule, mixture))
    values = np.array(finals(number) if callable(finals) else finals)
    wobble = np.random.default_rng(EVERY.index(mixture) * MODELS + number).normal(0, 0.004, 3)
    deltas = values + wobble - INITIAL  # which models share, so that rules are paired
    alone = [rule == f"single-{name}" for name in OBJECTIVES]
    weights = np.array(alone, dtype=float) if any(alone) else np.full(3, 1 / 3)
    run = {
        "study": "laboratory",
        "model": mixture,
        "objectives": "math3",
        "estimator": "grpo",
        "algorithm": rule,
        "reference": any(alone),
        "seed": 1000 * (number + 1),
        "delta_se": 0.01,
        "score_delta": float(weights @ deltas),
        "score_delta_se": 0.005,
        "worst_change": deltas.min(),
        "hypervolume_gain": 0.0,
        "delta_m": float(np.mean(100 * deltas / INITIAL)),
        "tokens": 20.0,
        "tokens_initial": 20.0,
        "max_tokens": 48,
        "prompts": 256,
        "environment": "made up",
        "attribution": "",
    }
    return [
        run | {"objective": name, "initial": start, "final": start + delta, "delta": delta}
        for name, start, delta in zip(OBJECTIVES, INITIAL, deltas, strict=True)
    ]


def _expected(rule: str, mixture: str) -> Finals:
    if rule in REFERENCES:
        return [0.95 if rule == f"single-{name}" else 0.2 for name in OBJECTIVES]
    if rule == "pama-completion":
        return (0.55, 0.52, 0.25)
    if mixture in COMMON or (mixture in RARE and rule in ("mgda-normalized", "upgrad")):
        return SERVED
    if rule == "foresight":
        return SERVED if mixture in RARE else LOST
    worth = {"ctwa": "linear"}.get(rule, rule)  # ctwa does what linear does
    place = TEN.index(worth) / 100 * (1 if mixture in PLANTED else -1)  # the order turns round
    return (LOST[0], LOST[1], LOST[2] + place)


def trials(changed: tuple[str, ...] = ("ctwa",), lead: float = 3.0) -> pandas.DataFrame:
    """Return two trials of each rule of :data:`TRIED`, and one of the others."""
    rows = []
    for rule in RULES:
        for trial in range(2 if rule in TRIED else 1):
            chosen = trial == (rule in changed)
            rows.append((rule, trial, chosen, -0.5 + lead * trial, f'{{"rate": {trial}}}'))
    return pandas.DataFrame(rows, columns=["algorithm", "trial", "chosen", "worst_gain", "setting"])
