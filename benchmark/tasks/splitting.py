"""Cutting problems into splits: the same ones wherever and whenever it is done."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from benchmark.common.errors import CrosstalkError
from benchmark.tasks.base import Problem, Split

Item = TypeVar("Item")
Splits = dict[Split, list[Problem]]
SEED = 42  # of the study's split


class Halves(NamedTuple):
    """Two parts of a shuffled sequence."""

    kept: list[Problem]
    taken: list[Problem]


def cut(problems: Sequence[Problem], share: float, seed: int = SEED) -> Halves:
    """Take a share of the problems away, rounded up, and shuffle both parts.

    The same parts in the same order as those of ``Dataset.train_test_split(test_size=share,
    seed=seed)`` of the library ``datasets``, with which published splits are made.
    """
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(problems))
    count = math.ceil(share * len(problems))
    shuffled = [problems[index] for index in order]
    return Halves(kept=shuffled[count:], taken=shuffled[:count])


def without(problems: Iterable[Problem], known: set[str]) -> list[Problem]:
    """Return the problems whose prompts are not known yet, each prompt once; note them as known."""
    kept = []
    for problem in problems:
        if problem.prompt not in known:
            known.add(problem.prompt)
            kept.append(problem)
    return kept


def check_apart(splits: Splits, where: str) -> None:
    """Refuse splits of which two problems, of one split or of two, share an id or a prompt.

    Raises:
        CrosstalkError: Two do.
    """
    first: dict[tuple[str, str], str] = {}
    for split, problems in splits.items():
        for problem in problems:
            for kind, value in (("id", problem.id), ("prompt", problem.prompt)):
                place = f"{problem.id!r} of {split}"
                if (kind, value) in first:
                    raise CrosstalkError(
                        f"{where}: {first[kind, value]} and {place} have the same {kind}"
                    )
                first[kind, value] = place
