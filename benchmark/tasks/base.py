"""What a task is: prompts with reference answers, in three splits that never share a problem."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

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
    """A source of problems; its splits are fixed, so that every run meets the same ones."""

    name: ClassVar[str]

    @abstractmethod
    def split(self, split: Split, size: int) -> list[Problem]:
        """Return the first ``size`` problems of a split, always the same ones in the same order.

        Raises:
            CrosstalkError: The split is unknown or holds fewer than ``size`` problems, or ``size``
                is below 1.
        """
