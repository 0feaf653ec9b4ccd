"""``conditioned``: an easy reward that counts only where a hard one is met."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from benchmark.common.parameters import number, refuse
from benchmark.objectives.base import Completion, Objective
from benchmark.objectives.parts import part_rewards


class Conditioned(Objective):
    r"""The easy objective's reward where the hard one reaches a threshold, else 0.

    The conditioned reward of `GDPO <https://arxiv.org/abs/2601.05242>`_, equation 8 (known here
    from what TRL's threads say of it, not from the paper's text):

    .. math:: \tilde r_k(y) = \begin{cases} r_k(y) & r_l(y) \ge t \\ 0 & \text{else} \end{cases}

    where:

    - :math:`r_k` is the easy objective (``easy``), which weights alone would not keep from winning;
    - :math:`r_l` is the hard one (``hard``);
    - :math:`t` is the threshold (``threshold``).

    It does not apply where the hard objective does not, nor, beyond the gate, where the easy one
    does not. Easy rewards have to be bounded and at least 0: below 0 the closed gate would be the
    better place.

    A gated reward goes along with the hard objective by construction. Track the ungated one beside
    it, as an objective for evaluation alone.

    Args:
        easy: :math:`r_k`: an objective's id, or a mapping of ``objective`` and its parameters.
        hard: :math:`r_l`, likewise.
        threshold: :math:`t`, at most what the hard objective can reach.

    Raises:
        CrosstalkError: The easy objective has no bound, or the hard one cannot reach the threshold.
    """

    name = "conditioned"
    objective_parameters: ClassVar[frozenset[str]] = frozenset({"easy", "hard"})

    def __init__(self, easy: Objective, hard: Objective, threshold: float = 1.0) -> None:
        for key, part in (("easy", easy), ("hard", hard)):
            if not isinstance(part, Objective):
                refuse(key, "an objective", part)
        if not easy.upper_bound < math.inf:
            refuse("easy", "an objective with an upper bound, such as a squashed score", easy.name)
        self.easy, self.hard = easy, hard
        self.threshold = number("threshold", threshold, -math.inf, hard.upper_bound)
        self.upper_bound = easy.upper_bound

    def check(self) -> None:
        self.easy.check()
        self.hard.check()

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        batch = {"completions": completions, "completion_ids": completion_ids, **columns}
        easy, hard = (part_rewards(self, part, batch) for part in (self.easy, self.hard))
        for index, reward in enumerate(easy):
            if reward < 0:
                refuse(
                    f"completion {index}: {self.easy.name}", "an easy reward of at least 0", reward
                )
        return [self._gated(*pair) for pair in zip(easy, hard, strict=True)]

    def _gated(self, easy: float, hard: float) -> float:
        if math.isnan(hard):
            return math.nan
        return easy if hard >= self.threshold else 0.0

    def observe(self, lengths: Sequence[int]) -> None:
        self.easy.observe(lengths)
        self.hard.observe(lengths)

    def for_evaluation(self, initial_mean_tokens: float) -> "Conditioned":
        parts = [part.for_evaluation(initial_mean_tokens) for part in (self.easy, self.hard)]
        fixed = Conditioned(parts[0], parts[1], self.threshold)
        fixed.name, fixed.time_limit = self.name, self.time_limit
        return fixed

    def state_dict(self) -> dict[str, Any]:
        return {"easy": self.easy.state_dict(), "hard": self.hard.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.easy.load_state_dict(state["easy"])
        self.hard.load_state_dict(state["hard"])
