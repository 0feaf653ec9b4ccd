r"""MATH-500: 500 competition problems, cut as the study cuts them into 300, 100 and 100."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmark.errors import CrosstalkError
from benchmark.tasks.base import Problem
from benchmark.tasks.data import DataTask, Files, by_split
from benchmark.tasks.prompts import BOXED, with_suffix
from benchmark.tasks.splitting import Splits, check_apart, cut
from benchmark.tasks.tables import answer, read_table, text

_HUB = ("problem", "answer", "unique_id")
_STUDY = ("prompt", "reward_model.ground_truth", "unique_id")


class Math500(DataTask):
    r"""Problems of the MATH benchmark whose answers go into ``\boxed{}``.

    From the hub, or from one file with its 500 rows, 0.4 is taken away with seed 42; of that, 0.5
    with the same seed is the validation split and the rest the test split, as in Lu & Jiang,
    *Uncovering Cross-Objective Interference in Multi-Objective Alignment*,
    https://arxiv.org/abs/2602.06869. Their released scripts then validate on the test split; here
    the two are kept apart. A folder with files ``train*``, ``val*`` and ``test*`` is taken as it is
    cut.

    Columns: ``problem``, ``answer`` and ``unique_id``, as on the hub; or ``prompt`` (text or a
    conversation of one message), ``reward_model.ground_truth`` and ``unique_id``, as in the study's
    files.

    Args:
        path: A folder, or a file, in place of the hub.
        revision: The commit of the hub's repository.
        suffix: Ends every prompt that does not end so already.
    """

    name: ClassVar[str] = "math500"
    repo: ClassVar[str] = "HuggingFaceH4/MATH-500"
    gigabytes: ClassVar[float] = 0.0005
    pinned: ClassVar[str | None] = "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"
    hub_files = ("test.jsonl",)

    def __init__(
        self, *, path: str | None = None, revision: str | None = None, suffix: str = BOXED
    ) -> None:
        super().__init__(path=path, revision=revision)
        self.suffix = suffix

    def read(self, files: Files) -> Splits:
        groups = by_split(files)
        where = f"task {self.name!r}"
        if len(groups) == 2:
            found = " and ".join(groups)
            raise CrosstalkError(f"{where}: files of {found} found, wanted: all three or one table")
        if len(groups) == 3:
            splits = {split: self._problems(paths) for split, paths in groups.items()}
        else:
            train, held_out = cut(self._problems(list(files.values())), 0.4)
            test, validation = cut(held_out, 0.5)
            splits = {"train": train, "validation": validation, "test": test}
        check_apart(splits, where)
        return splits

    def _problems(self, paths: Sequence[Path]) -> list[Problem]:
        return [problem for path in paths for problem in self._of(path)]

    def _of(self, path: Path) -> list[Problem]:
        problems = []
        for number, row in enumerate(read_table(path, _HUB, _STUDY), start=1):
            prompt, reference, id_ = row  # the columns' names, in the order of the layout
            where = f"{path}: row {number}"
            problems.append(
                Problem(
                    id=text(row, id_, where),
                    prompt=with_suffix(text(row, prompt, where), self.suffix),
                    answer=answer(row, reference, where),
                )
            )
        return problems
