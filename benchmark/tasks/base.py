"""The base class of tasks: prompts with answers, in three splits that never share a problem."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.common.errors import unknown
from benchmark.common.hub import HubNeed, download
from benchmark.common.parameters import refuse

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Problem:
    """One problem: what the model reads and what it is marked against.

    Attributes:
        id: Unique within the task, over all splits.
        prompt: Plain text, without a chat template.
        answer: The reference answer, LaTeX or plain text.
    """

    id: str
    prompt: str
    answer: str


class Task(ABC):
    """A source of problems; its splits are fixed, so every run gets the same ones."""

    name: ClassVar[str]

    @abstractmethod
    def split(self, split: Split, size: int) -> list[Problem]:
        """Return the first ``size`` problems of a split, always the same ones in the same order.

        Raises:
            CrosstalkError: The split is unknown or holds fewer than ``size`` problems, ``size``
                is below 1, or what the task reads is not there or does not fit.
        """

    def check(self, split: Split, size: int, available: Mapping[Split, int]) -> None:
        """Refuse a split that is not there, or more problems than there are."""
        if split not in available:
            raise unknown("split", split, available)
        most = available[split]
        if not 1 <= size <= most:
            refuse(f"task {self.name!r}: {split}", f"1 to {most} problems", size)

    def needs(self) -> list[HubNeed]:
        """Return what the task reads from the hub, whether or not it is there already."""
        return []

    def prepare(self) -> None:
        """Download what the task reads from the hub; afterwards the task works offline.

        Raises:
            CrosstalkError: The data cannot be downloaded.
        """
        for need in self.needs():
            download(need)

    def contents(self) -> dict[str, str]:
        """Return digests of the user's own files that the task reads, by name.

        With the task's parameters they determine its problems: what is read from the hub is pinned
        by its revision.
        """
        return {}
