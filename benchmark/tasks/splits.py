"""Make splits of files and problems: the same ones wherever and whenever it is done."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.common.errors import CrosstalkError
from benchmark.tasks.base import Problem, Split

Files = dict[str, Path]  # by their names in the repository, or below the user's folder
Read = Callable[[Sequence[Path]], list[Problem]]
Splits = dict[Split, list[Problem]]
SEED = 42  # of the study's split
_PREFIXES: dict[Split, str] = {"train": "train", "validation": "val", "test": "test"}


class Halves(NamedTuple):
    """Two parts of a shuffled sequence."""

    kept: list[Problem]
    taken: list[Problem]


def cut(problems: Sequence[Problem], share: float, seed: int = SEED) -> Halves:
    """Take a share of the problems away, rounded up, and shuffle both parts.

    The same parts in the same order as those of ``Dataset.train_test_split(test_size=share,
    seed=seed)`` of the library ``datasets``, with which published splits are made; a share of 0,
    which only shuffles, it refuses.
    """
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(problems))
    count = math.ceil(share * len(problems))
    shuffled = [problems[index] for index in order]
    return Halves(kept=shuffled[count:], taken=shuffled[:count])


def given_or_cut(files: Files, read: Read, held_out: float, where: str, seed: int = SEED) -> Splits:
    """Return the splits of files named after them, else those of one table, cut.

    Of a table the share ``held_out`` is taken away, half for validation and half for the test.
    """
    groups = by_split(files)
    if len(groups) == 2:
        raise CrosstalkError(
            f"{where}: expected files of all three splits or one table, got {' and '.join(groups)}"
        )
    if len(groups) == 3:
        splits = {split: read(paths) for split, paths in groups.items()}
    else:
        train, rest = cut(read(list(files.values())), held_out, seed)
        test, validation = cut(rest, 0.5, seed)
        splits = {"train": train, "validation": validation, "test": test}
    check_apart(splits, where)
    return splits


def by_split(files: Files) -> dict[Split, list[Path]]:
    """Return the files whose names begin with ``train``, ``val`` or ``test``, by split."""
    groups = {
        split: [path for name, path in files.items() if Path(name).name.startswith(prefix)]
        for split, prefix in _PREFIXES.items()
    }
    return {split: paths for split, paths in groups.items() if paths}


def required(files: Files, wanted: Sequence[Split], where: str) -> dict[Split, list[Path]]:
    """Return :func:`by_split`, which has to have the wanted splits."""
    groups = by_split(files)
    if not groups.keys() >= set(wanted):
        names = ", ".join(sorted(files)) or "none"
        patterns = " and ".join(f"{_PREFIXES[split]}*" for split in wanted)
        raise CrosstalkError(f"{where}: expected files {patterns}, got {names}")
    return groups


def without(problems: Iterable[Problem], known: set[str]) -> list[Problem]:
    """Return the problems whose prompts are not known yet, each prompt once; note them as known."""
    kept = []
    for problem in problems:
        if problem.prompt not in known:
            known.add(problem.prompt)
            kept.append(problem)
    return kept


def check_apart(splits: Splits, where: str) -> None:
    """Refuse two problems, of one split or of two, with one id or one prompt."""
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
