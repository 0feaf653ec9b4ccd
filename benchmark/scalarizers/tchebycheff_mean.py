"""``tchebycheff_mean``: train on the objective whose mean falls shortest, by weight."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.parameters import flag
from benchmark.scalarizers.base import ScoreScalarizer
from benchmark.scalarizers.shortfalls import nonnegative
from benchmark.scalarizers.vectors import vector


class TchebycheffMean(ScoreScalarizer):
    r""":class:`~benchmark.scalarizers.base.ScoreScalarizer` by the Tchebycheff distance of means.

    Where ``tchebycheff`` takes the worst weighted gap of each completion, this takes that of the
    batch's means: the expectation of a maximum is not the maximum of expectations, and it is the
    latter that the `weighted Tchebycheff norm <https://doi.org/10.1007/978-3-642-87563-2_5>`_
    (Bowman, 1976) of the objectives' values asks for.

    .. math::
        s_k = r_{k j^*}, \qquad j^* = \arg\max_j w_j (z_j - \bar r_j)

    where:

    - :math:`r_{kj}` is the reward of completion k under objective j (``rewards``), and
      :math:`\bar r_j` its mean over the batch;
    - :math:`w` are the preference weights (``weights``; an objective of weight 0 is never chosen);
    - :math:`z_j` is the reference point: fixed (``upper_bounds``; 1 each), or with ``running`` the
      highest mean of any batch so far, this one included (``state["reference_point"]``).

    The subgradient has the factor :math:`w_{j^*}`, common to all completions of a batch; it is left
    out, so that the step has the size of other rules' (ours). All completions of a batch share
    :math:`j^*`; the first of equal ones is taken. With equal weights and a fixed z that is the same
    for all it is ``maxmin`` without a step. A completion to which the objective chosen does not
    apply has the score NaN.

    Args:
        upper_bounds: One value per objective.
        running: Whether z is the running maximum of means in place of the bounds.

    Raises:
        CrosstalkError: In training, if a mean reward is above a fixed z.
    """

    source: ClassVar[str] = "Bowman 1976, doi 10.1007/978-3-642-87563-2_5, on means"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        upper_bounds: Sequence[float] | None = None,
        running: bool = False,
    ) -> None:
        super().__init__(objectives, weights)
        if upper_bounds is not None:
            self.upper_bounds = vector("upper_bounds", upper_bounds, len(self.objectives))
        self.running = flag("running", running)
        bounds = self.upper_bounds.double()
        start = torch.full_like(bounds, -math.inf) if self.running else bounds
        self.state["reference_point"] = start
        self.state["current_weights"] = self.weights.clone()

    def score(self, rewards: Tensor) -> Tensor:
        means = rewards.double().nanmean(dim=0).cpu()
        if self.running:
            best = means.nan_to_num(nan=-math.inf)
            self.state["reference_point"] = torch.maximum(self.state["reference_point"], best)
        shortfalls = nonnegative(self.state["reference_point"] - means, self.objectives)
        known = means.isfinite() & (self.weights > 0)
        if not known.any():
            return torch.full_like(rewards[:, 0], torch.nan)
        gaps = (self.weights.double() * shortfalls).masked_fill(~known, -math.inf)
        worst = int(gaps.argmax())
        chosen = torch.zeros_like(self.weights)
        chosen[worst] = 1.0
        self.state["current_weights"] = chosen
        return rewards[:, worst]

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"]) | self.by_objective(
            "reference_point", self.state["reference_point"]
        )
