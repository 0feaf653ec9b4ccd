"""``rlla``: dialogues in which an assistant calls tools, with the calls that are right."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from benchmark.common.parameters import refuse, text
from benchmark.tasks.base import Problem
from benchmark.tasks.data import DataTask
from benchmark.tasks.rows import answer, read_table
from benchmark.tasks.splits import Files, Splits, check_apart, cut, required, without

_PROMPT, _ANSWER = "prompt", "reward_model.ground_truth"
_ROLES = ["system", "user"]


class Rlla(DataTask):
    """The training data of `ToolRL: Reward is All Tool Learning Needs
    <https://arxiv.org/abs/2504.13958>`_, which is not on the hub.

    Its 4,000 dialogues are in the method's repository, as ``dataset/rlla_4k/train.parquet`` and
    ``test.parquet`` (commit ``8cee13e``). A prompt is the system turn, which names the tools and
    the form of an answer, and behind a blank line the user's: a policy is asked one question. The
    answer is the whole reference, with its thoughts and calls. The test split is the repository's
    own; validation is a tenth of the training prompts, taken away with seed 42. Columns: ``prompt``
    and ``reward_model.ground_truth``.

    Args:
        path: A folder with files ``train*`` and ``test*``.
    """

    name: ClassVar[str] = "rlla"

    def __init__(self, *, path: str) -> None:
        super().__init__(path=text("path", path, "a folder"))

    def read(self, files: Files) -> Splits:
        where = f"task {self.name!r}"
        groups = required(files, ["train", "test"], where)
        test = without(_problems(groups["test"]), set())
        known = {problem.prompt for problem in test}
        train, validation = cut(without(_problems(groups["train"]), known), 0.1)
        splits: Splits = {"train": train, "validation": validation, "test": cut(test, 0).kept}
        check_apart(splits, where)
        return splits


def _problems(paths: Sequence[Path]) -> Iterator[Problem]:
    for path in paths:
        for number, row in enumerate(read_table(path, [_PROMPT, _ANSWER]), start=1):
            where = f"{path}: row {number}"
            question = _one_turn(row[_PROMPT], where)
            yield Problem(f"{path.name}:{number}", question, answer(row, _ANSWER, where))


def _one_turn(turns: object, where: str) -> str:
    """Return a system turn and a user's as one text."""
    each = turns if isinstance(turns, list) else []
    found = [turn.get("role") if isinstance(turn, dict) else None for turn in each]
    said = [turn.get("content") if isinstance(turn, dict) else None for turn in each]
    texts = [one.strip() for one in said if isinstance(one, str) and one.strip()]
    if found != _ROLES or len(texts) != len(_ROLES):
        refuse(f"{where}: column {_PROMPT!r}", "a system turn and a user's, with text", turns)
    return "\n\n".join(texts)
