"""``random``: new weights for every batch."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import integer
from benchmark.scalarizers.base import ScoreScalarizer, weighted_sum


class Random(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` with random weights.

    The baseline of `Reasonable Effectiveness of Random Weighting: A Litmus Test for Multi-Task
    Learning <https://arxiv.org/abs/2111.10603>`_: a method that adapts its weights should do better
    than chance.

    .. math::
        s_k = \sum_j w_j r_{kj}, \qquad w \sim \mathrm{Dirichlet}(1, \dots, 1)

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``);
    - :math:`w` are the weights of this batch, uniform on the simplex (``state["current_weights"]``,
      the preference weights before the first batch; these play no other part).

    The draws come from the scalarizer's own generator (``seed``), whose state is in
    ``state["generator"]``: they neither disturb nor follow the training's random numbers, and all
    processes draw the same. Drawing is part of :meth:`score`, which has to be called once per
    batch.

    Args:
        seed: At least 0. The cells of a study give their own seed unless told otherwise.
    """

    source: ClassVar[str] = "Lin et al. 2022, arXiv 2111.10603"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(objectives, weights)
        self.seed = integer("seed", seed, minimum=0)
        self.state["generator"] = _packed(torch.Generator().manual_seed(self.seed))
        self.state["current_weights"] = self.weights.clone()

    def score(self, rewards: Tensor) -> Tensor:
        generator = torch.Generator()
        generator.set_state(self.state["generator"].to(torch.uint8))
        # Exponentials over their sum are uniform on the simplex.
        drawn = torch.empty(len(self.objectives)).exponential_(generator=generator)
        self.state["current_weights"] = drawn / drawn.sum()
        self.state["generator"] = _packed(generator)
        return weighted_sum(rewards, self.state["current_weights"])

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])


def _packed(generator: torch.Generator) -> Tensor:
    """Return a generator's state; its bytes as numbers with a sign, like all other states."""
    return generator.get_state().to(torch.int16)
