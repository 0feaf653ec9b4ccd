"""``NAME:CLASS``, a scalarizer: half the weighted sum of the rewards, half the worst of them.

Replace what ``score`` computes; advantages or gradients can be joined instead of rewards.
"""

from collections.abc import Sequence

from torch import Tensor

from benchmark.scalarizers import ScoreScalarizer


class CLASS(ScoreScalarizer):
    """A share of the worst objective beside the weighted sum.

    Args:
        share: What the worst objective counts for, from 0 to 1.
    """

    source = "my notebook"

    def __init__(
        self, objectives: Sequence[str], weights: Sequence[float] | None = None, share: float = 0.5
    ) -> None:
        super().__init__(objectives, weights)
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected 0 to 1, got {share!r}")
        self.share = share

    def score(self, rewards: Tensor) -> Tensor:  # (B, M) -> (B,)
        return (1 - self.share) * self.mean(rewards) + self.share * self.worst(rewards)

    def mean(self, rewards: Tensor) -> Tensor:
        """Return the weighted sum; a reward of NaN (the objective does not apply) adds nothing."""
        total = rewards.nan_to_num(nan=0.0) @ self.weights.to(rewards)
        return total.masked_fill(rewards.isnan().all(dim=1), float("nan"))

    def worst(self, rewards: Tensor) -> Tensor:
        """Return the least reward that there is."""
        least = rewards.nan_to_num(nan=float("inf")).amin(dim=1)
        return least.masked_fill(rewards.isnan().all(dim=1), float("nan"))
