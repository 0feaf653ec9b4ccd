"""What rewards of a length have in common that depend on whether the answer is right."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

from benchmark.common.parameters import refuse
from benchmark.objectives.accuracy import Accuracy
from benchmark.objectives.base import Completion, Objective
from benchmark.objectives.parts import part_rewards


class LengthOfCorrect(Objective):
    """A reward of a completion's length, which is another one where the answer is wrong.

    It does not apply where the judge of the answer does not.

    Args:
        correct: What judges the answer, right where it reaches its upper bound: an objective's id,
            or a mapping of ``objective`` and its parameters; None for ``accuracy``.
    """

    objective_parameters: ClassVar[frozenset[str]] = frozenset({"correct"})

    def __init__(self, correct: Objective | None = None) -> None:
        if correct is not None and not isinstance(correct, Objective):
            refuse("correct", "an objective", correct)
        self.correct = Accuracy() if correct is None else correct

    @abstractmethod
    def reward(self, right: bool, tokens: int) -> float:
        """Return the reward of a completion by whether it is right and its number of tokens."""

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        batch = {"completions": completions, "completion_ids": completion_ids, **columns}
        pairs = zip(part_rewards(self, self.correct, batch), completion_ids, strict=True)
        return [self._reward(each, len(ids)) for each, ids in pairs]

    def _reward(self, judged: float, tokens: int) -> float:
        if math.isnan(judged):
            return math.nan
        return self.reward(judged >= self.correct.upper_bound, tokens)

    def check(self) -> None:
        self.correct.check()

    def observe(self, lengths: Sequence[int]) -> None:
        self.correct.observe(lengths)

    def for_evaluation(self, initial_mean_tokens: float) -> "LengthOfCorrect":
        fixed = copy(self)
        fixed.correct = self.correct.for_evaluation(initial_mean_tokens)
        return fixed

    def state_dict(self) -> dict[str, Any]:
        return self.correct.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.correct.load_state_dict(state)
