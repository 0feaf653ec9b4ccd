"""``hypervolume``: the weighted sum, pushed harder while the Pareto front grows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmark.scalarizers.base import AdvantageScalarizer, Feedback, Signal

LEAST, RANGE = 0.5, 1.5  # the multiplier without a gain, and what a large gain adds


class Hypervolume(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` guided by the hypervolume gained.

    The hypervolume-guided rule of `Learning to Optimize Multi-Objective Alignment Through Dynamic
    Reward Weighting <https://arxiv.org/abs/2509.11452>`_. A multiplier says how much the last
    validation added to the volume that the validation points dominate:

    .. math::
        A_k = m \sum_j w_j A_{kj}, \qquad m = 0.5 + 1.5 \tanh(\max(0, \Delta HV)), \qquad
        \Delta HV = HV(B \cup \{v\}) - HV(B \setminus \{v\})

    where:

    - :math:`A_{kj}` is the advantage of completion k under objective j alone (``advantages``);
    - :math:`w` are the preference weights (``weights``), whose proportions the rule never changes;
    - :math:`v` is the latest validation point (``feedback.validation``);
    - :math:`B` are the earlier points that no other dominates (``state["front"]``, (N, M));
    - :math:`HV` is the volume dominated beyond the first validation point, that of the initial
      policy (``state["initial"]``). Only points better under every objective add to it;
    - :math:`m` is the multiplier (``state["multiplier"]``), 0.5 until a validation gains volume.

    While some objective is below its start no point adds volume, and m is 0.5: a constant factor,
    which Adam and a limit on the gradient's norm remove. The paper's points hold conciseness in
    mean tokens, so that a gain in volume saturates the tanh; here they are mean rewards.

    The paper multiplies rewards. An estimator that divides by the deviation would cancel that, so
    the multiplier applies to the advantages. These are summed over objectives after each was
    estimated alone: under a normalising estimator the sum without the multiplier is not that of
    ``linear``. A validation point with a value that is not finite is ignored.
    """

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.VALIDATION})
    source: ClassVar[str] = "Lu et al. 2025, arXiv 2509.11452"

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        super().__init__(objectives, weights)
        count = len(self.objectives)
        self.state["initial"] = torch.full((count,), torch.nan)
        self.state["latest"] = torch.full((count,), torch.nan)
        self.state["front"] = torch.empty(0, count)
        self.state["multiplier"] = torch.tensor(LEAST)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        return (self._current_weights().to(advantages) * advantages).sum(dim=1)

    def update(self, feedback: Feedback) -> None:
        if feedback.validation is None:
            return
        point = feedback.validation.to(self.state["latest"], copy=True)
        if not point.isfinite().all() or torch.equal(point, self.state["latest"]):
            return  # nothing new since the last update
        if self.state["initial"].isnan().any():
            self.state["initial"] = point
        front = self.state["front"]
        others = front[(front != point).any(dim=1)]
        united = torch.cat([others, point[None]])
        gain = self._volume(united) - self._volume(others)
        self.state |= {
            "latest": point,
            "front": _non_dominated(united),
            "multiplier": LEAST + RANGE * torch.tensor(max(0.0, gain)).tanh(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        before = self.state
        front = state.get("front") if isinstance(state, Mapping) else None
        if isinstance(front, Tensor) and front.shape[1:] == before["front"].shape[1:]:
            # The number of points is free; make room for them.
            self.state = before | {"front": before["front"].new_empty(front.shape)}
        try:
            super().load_state_dict(state)
        except ValueError:
            self.state = before
            raise

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self._current_weights())

    def _current_weights(self) -> Tensor:
        return self.state["multiplier"] * self.weights

    def _volume(self, points: Tensor) -> float:
        """Return the volume between the initial point and ``points`` (N, M)."""
        import moocore

        initial = self.state["initial"].double().numpy()
        return float(moocore.hypervolume(points.double().numpy(), ref=initial, maximise=True))


def _non_dominated(points: Tensor) -> Tensor:
    """Return the rows of ``points`` (N, M) than which no other is better everywhere."""
    import moocore

    kept = moocore.is_nondominated(points.double().numpy(), maximise=True)
    return points[torch.from_numpy(kept)]
