"""Score completions by objective, and tabulate the rewards."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.answers import Completions
from benchmark.objectives.base import Objective
from benchmark.tasks.base import Problem


def score(completions: Completions, objectives: Sequence[Objective]) -> np.ndarray:
    """Return the rewards (P, n, M) of completions, NaN where an objective does not apply."""
    repeated = _repeated(completions)
    columns = {"question": [p.prompt for p in repeated], "answer": [p.answer for p in repeated]}
    rewards = [
        objective(completions=completions.texts, completion_ids=completions.ids, **columns)
        for objective in objectives
    ]
    return np.array(rewards).T.reshape(len(completions.problems), completions.samples, -1)


def score_everywhere(completions: Completions, objectives: Sequence[Objective]) -> np.ndarray:
    """Return the rewards (P, n, M) of completions that every objective has to apply to.

    Raises:
        CrosstalkError: One does not apply to some of them.
    """
    rewards = score(completions, objectives)
    for objective, missing in zip(objectives, np.isnan(rewards).sum(axis=(0, 1)), strict=True):
        if missing:
            raise CrosstalkError(
                f"objective {objective.name!r}: expected to apply to every completion that is "
                f"measured here, got none or NaN for {missing} of {len(completions.texts)}"
            )
    return rewards


def to_frame(completions: Completions, rewards: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return a table with a row per completion and a column ``reward/<objective>`` for each."""
    repeated = _repeated(completions)
    frame = pd.DataFrame(
        {
            "problem": [p.id for p in repeated],
            "sample": list(range(completions.samples)) * len(completions.problems),
            "prompt": [p.prompt for p in repeated],
            "answer": [p.answer for p in repeated],
            "completion": completions.texts,
            "tokens": completions.tokens.ravel(),
        }
    )
    flat = rewards.reshape(-1, len(names))
    return frame.assign(**{f"reward/{name}": flat[:, j] for j, name in enumerate(names)})


def _repeated(completions: Completions) -> list[Problem]:
    """Return the problem of each completion (P·n)."""
    return [p for p in completions.problems for _ in range(completions.samples)]
