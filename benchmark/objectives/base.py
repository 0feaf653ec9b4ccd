"""The base class of objectives: reward functions as TRL calls them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from reprlib import repr as shortened
from typing import Any, ClassVar

from benchmark.common.errors import Faulty, blaming
from benchmark.common.parameters import as_float
from benchmark.common.time_limits import time_limit

Completion = str | Sequence[Mapping[str, Any]]


class Objective(ABC):
    """A reward of at most ``upper_bound`` for each completion, higher is better.

    An instance is a TRL reward function; a new objective defines :meth:`rewards`, and names its
    parameters in its constructor. Calling it changes nothing; what an objective remembers changes
    in :meth:`observe` alone, so that evaluation never leaks into training.

    Attributes:
        name: What its rewards are logged under: the id in the study, else its registry name.
        upper_bound: What a reward can at most be. Rewards lie in [0, 1] unless the objective says
            otherwise.
        time_limit: The seconds on the clock that a call may take; None for no limit. A study sets
            it (``objective_seconds``).
        model_parameters: Which of its parameters name a model. A study gives the id of an entry of
            ``models.yaml``; the constructor gets the prepared model's folder.
    """

    name: str
    upper_bound: float = 1.0
    time_limit: float | None = None
    model_parameters: ClassVar[frozenset[str]] = frozenset()

    @property
    def __name__(self) -> str:
        """The objective's name, under which TRL logs its rewards."""
        return self.name

    @abstractmethod
    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> Sequence[float | None]:
        """Return one reward for each of the B completions.

        Numbers may be of Python, NumPy or torch. None and NaN say that the objective does not apply
        to a completion.

        Args:
            completions: B completions, each a string or a list of chat messages.
            completion_ids: Their tokens, the end-of-sequence token included.
            columns: The dataset's columns, one value a completion, and whatever else TRL passes.
        """

    def __call__(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        """Return :meth:`rewards` (the same arguments), checked; NaN where it does not apply.

        Raises:
            CrosstalkError: It raised, took longer than its time limit, or returned anything but a
                finite number, None or NaN for each completion.
        """
        who = f"objective {self.name!r}"
        with blaming(who), time_limit(self.time_limit, who):
            rewards = list(
                self.rewards(completions=completions, completion_ids=completion_ids, **columns)
            )
        if len(rewards) != len(completions):
            raise Faulty(
                f"{who}: expected {len(completions)} rewards, one per completion,"
                f" got {len(rewards)}"
            )
        return [_checked(reward, f"{who}: completion {i}") for i, reward in enumerate(rewards)]

    # B027: most objectives remember nothing and need no model, so these are not abstract.
    def check(self) -> None:  # noqa: B027
        """Check the files of the models it needs, without loading them.

        Raises:
            CrosstalkError: One is missing or does not fit the objective.
        """

    def observe(self, lengths: Sequence[int]) -> None:  # noqa: B027
        """Note a training batch, before it is rewarded.

        Args:
            lengths: Tokens of each completion of the whole batch, over all processes.
        """

    def for_evaluation(self, initial_mean_tokens: float) -> "Objective":
        """Return the objective with all that varies over training fixed, so that runs compare.

        Args:
            initial_mean_tokens: The initial policy's mean completion length, in tokens, on the
                prompts of the evaluation.
        """
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return what the objective remembers, for a checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore what :meth:`state_dict` returned."""


def _checked(reward: object, where: str) -> float:
    found = math.nan if reward is None else as_float(reward)
    if found is None or math.isinf(found):
        raise Faulty(
            f"{where}: expected a finite number, or None or NaN where the objective does not "
            f"apply, got {shortened(reward)}"
        )
    return found


def completion_text(completion: Completion) -> str:
    """Return what the model wrote: the string, or the assistant's messages of a conversation.

    A message that only calls tools says nothing; of one in parts the texts count.
    """
    if isinstance(completion, str):
        return completion
    said = (turn.get("content") for turn in completion if turn["role"] == "assistant")
    return "\n".join(text for text in map(_joined, said) if text is not None)


def _joined(content: str | Sequence[Mapping[str, Any]] | None) -> str | None:
    if content is None or isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")
