"""``conciseness``: shorter than completions have been so far."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import number
from benchmark.objectives.base import Completion, Objective


class Conciseness(Objective):
    r"""1 if the completion has fewer tokens than the threshold, else 0.

    The conciseness of `Uncovering Cross-Objective Interference in Multi-Objective Alignment
    <https://arxiv.org/abs/2602.06869>`_:

    .. math:: r(y) = 1[\,|y| < \theta\,]

    where:

    - :math:`|y|` is the number of tokens of completion y, the end-of-sequence token included;
    - :math:`\theta` is the threshold (``threshold``).

    Without a threshold it is, in training, the mean length of all completions so far, the batch
    being rewarded among them, as in the study's released code: about half of a first batch scores
    1. In evaluation it is the initial policy's mean length on the same prompts, so that runs
    compare; the released code evaluates each run by its own moving mean, and its validation before
    training scores 1 throughout. A fixed threshold is the same in both.

    Args:
        threshold: :math:`\theta` in tokens; None for the mean length of all completions of the
            training so far, the present batch included.

    Raises:
        CrosstalkError: Without a threshold, completions are rewarded before any were observed.
    """

    name = "conciseness"

    def __init__(self, threshold: float | None = None) -> None:
        self._fixed = (
            None if threshold is None else number("threshold", threshold, 0.0, finite=False)
        )
        self._tokens = 0  # whole numbers, so that a resumed mean equals an unbroken one exactly
        self._completions = 0

    @property
    def threshold(self) -> float:
        """Tokens a completion must stay below."""
        if self._fixed is not None:
            return self._fixed
        if not self._completions:
            raise CrosstalkError(
                f"objective {self.name!r}: expected a threshold, or a trainer that notes each "
                "batch's lengths first (MultiObjectiveGRPOTrainer), got neither"
            )
        return self._tokens / self._completions

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        threshold = self.threshold
        return [float(len(tokens) < threshold) for tokens in completion_ids]

    def observe(self, lengths: Sequence[int]) -> None:
        self._tokens += int(sum(lengths))
        self._completions += len(lengths)

    def for_evaluation(self, initial_mean_tokens: float) -> "Conciseness":
        if self._fixed is not None:
            return self
        fixed = Conciseness(initial_mean_tokens)
        fixed.name = self.name
        return fixed

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self._tokens, "completions": self._completions}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._tokens = int(state["tokens"])
        self._completions = int(state["completions"])
