"""``cnn-dailymail``: news articles to be summarized."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from benchmark.common.parameters import integer, text
from benchmark.tasks.base import Problem
from benchmark.tasks.data import DataTask
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.splits import Files, Splits, check_apart, required, without

_COLUMNS = Layout("article", "highlights", None)
SUMMARIZE = "Summarize this article in a few sentences:"


class CnnDailyMail(DataTask):
    """Articles of `Get To The Point: Summarization with Pointer-Generator Networks
    <https://arxiv.org/abs/1704.04368>`_, version 3.0.0 of the hub's data set.

    The answer is the highlights that the paper's site printed. The three splits are the data set's
    own, in its order; of the training articles those of the first of three files are read, some
    95,000. Each article is taken once. Columns: ``article`` and ``highlights``.

    Args:
        path: A folder with files ``train*``, ``val*`` and ``test*``, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.
        instruction: What stands before the article; the wording is ours.
        max_words: Articles of more words, between blanks, are left out; None to keep all. A prompt
            longer than the study's ``max_prompt_tokens`` is refused and not cut.
    """

    name: ClassVar[str] = "cnn-dailymail"
    repo: ClassVar[str] = "abisee/cnn_dailymail"
    gigabytes: ClassVar[float] = 0.32
    pinned: ClassVar[str | None] = "96df5e686bee6baa90b8bee7c28b81fa3fa6223d"

    def __init__(
        self,
        *,
        path: str | None = None,
        revision: str | None = None,
        instruction: str = SUMMARIZE,
        max_words: int | None = None,
    ) -> None:
        super().__init__(path=path, revision=revision)
        self.instruction = text("instruction", instruction)
        self.max_words = None if max_words is None else integer("max_words", max_words, minimum=1)

    @property
    def hub_files(self) -> tuple[str, ...]:
        names = ("train-00000-of-00003", "validation-00000-of-00001", "test-00000-of-00001")
        return tuple(f"3.0.0/{name}.parquet" for name in names)

    def read(self, files: Files) -> Splits:
        where, known = f"task {self.name!r}", set[str]()
        groups = required(files, ["train", "validation", "test"], where)
        splits: Splits = {"train": [], "validation": [], "test": []}
        for split in ("test", "validation", "train"):  # what is in one is not in a later one
            splits[split] = without(self._problems(groups[split]), known)
        check_apart(splits, where)
        return splits

    def _problems(self, paths: Sequence[Path]) -> Iterator[Problem]:
        for each in read_problems(paths, [_COLUMNS], suffix=""):
            article = each.prompt.strip()
            if self.max_words is None or len(article.split()) <= self.max_words:
                yield Problem(each.id, f"{self.instruction}\n\n{article}", each.answer.strip())
