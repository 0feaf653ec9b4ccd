"""``hh-rlhf``: questions to an assistant that should be helpful and harmless."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import names
from benchmark.tasks.base import Problem
from benchmark.tasks.data import DataTask
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.splits import Files, Splits, check_apart, cut, required, without

SUBSETS = ("helpful-base", "harmless-base", "helpful-online", "helpful-rejection-sampled")
_COLUMNS = Layout("chosen", None, None)
_TURN = re.compile(r"\n\n(Human|Assistant): ?")


class HelpfulHarmless(DataTask):
    """Prompts of `Training a Helpful and Harmless Assistant with Reinforcement Learning from Human
    Feedback <https://arxiv.org/abs/2204.05862>`_.

    A prompt is the one question of a dialogue with a single turn, without the marks ``Human:`` and
    ``Assistant:``; longer dialogues are left out, since a policy is asked one question. The answer
    is the reply that people preferred. Each prompt is kept once, and none of the test split is
    trained on. The test split is the dataset's own; validation is a tenth of the training prompts,
    taken away with seed 42. Column: ``chosen``.

    Args:
        path: A folder that holds a folder with files ``train*`` and ``test*`` for each subset, in
            place of the hub.
        revision: The commit of the hub's repository; None for the default one.
        subsets: Whose prompts are mixed.
    """

    name: ClassVar[str] = "hh-rlhf"
    repo: ClassVar[str] = "Anthropic/hh-rlhf"
    gigabytes: ClassVar[float] = 0.03
    pinned: ClassVar[str | None] = "09be8c5bbc57cb3887f3a9732ad6aa7ec602a1fa"

    def __init__(
        self,
        *,
        path: str | None = None,
        revision: str | None = None,
        subsets: Sequence[str] = SUBSETS[:2],
    ) -> None:
        super().__init__(path=path, revision=revision)
        self.subsets = names("subsets", subsets, SUBSETS)

    @property
    def hub_files(self) -> tuple[str, ...]:
        parts = ("train", "test")
        return tuple(f"{name}/{part}.jsonl.gz" for name in self.subsets for part in parts)

    def read(self, files: Files) -> Splits:
        train: list[Problem] = []
        test: list[Problem] = []
        for subset in self.subsets:
            own = {name: path for name, path in files.items() if name.startswith(f"{subset}/")}
            groups = required(own, ["train", "test"], f"task {self.name!r}: {subset}")
            train += _questions(groups["train"], subset)
            test += _questions(groups["test"], subset)
        test = without(test, set())
        kept, taken = cut(without(train, {problem.prompt for problem in test}), 0.1)
        splits: Splits = {"train": kept, "validation": taken, "test": cut(test, 0).kept}
        check_apart(splits, f"task {self.name!r}")
        return splits


def _questions(paths: Sequence[Path], subset: str) -> list[Problem]:
    """Return the dialogues of a single turn as problems."""
    found = []
    for dialogue in read_problems(paths, [_COLUMNS], suffix=""):
        match _TURN.split(dialogue.prompt):
            case ["", "Human", question, "Assistant", reply] if question.strip():
                id_ = f"{subset}/{dialogue.id}"
                found.append(Problem(id_, question.strip(), reply.strip()))
    if not found:
        raise CrosstalkError(
            f"{', '.join(map(str, paths))}: column 'chosen': expected dialogues of a Human's "
            "question and an Assistant's reply, got none"
        )
    return found
