"""``smoothed``: the weights of another gradient rule, averaged over batches."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import check_parameter_names, unknown
from benchmark.common.parameters import number, refuse
from benchmark.scalarizers.base import Feedback, GradientScalarizer
from benchmark.scalarizers.cagrad_clip import CAGradClip
from benchmark.scalarizers.dynamic import Dynamic
from benchmark.scalarizers.gradnorm import GradNorm
from benchmark.scalarizers.mgda import MGDA
from benchmark.scalarizers.nash_mtl import NashMTL
from benchmark.scalarizers.torchjd import TORCHJD

RULES: dict[str, type[GradientScalarizer]] = {
    "mgda": MGDA,
    "nash_mtl": NashMTL,
    "gradnorm": GradNorm,
    "dynamic": Dynamic,
    "cagrad_clip": CAGradClip,
    **TORCHJD,
}
OWN = "rule/"  # what the rule's own entries of the state begin with


class Smoothed(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by a moving average of weights.

    CR-MOGM, from `On the Convergence of Stochastic Multi-Objective Gradient Manipulation and Beyond
    <https://proceedings.neurips.cc/paper_files/paper/2022/file/f91bd64a3620aad8e70a27ad9cb3ca57-Paper-Conference.pdf>`_,
    smooths the weights of another rule, which one batch's noise moves, so that they depend less on
    the batch they weigh:

    .. math::
        \lambda \leftarrow \alpha \lambda + (1 - \alpha) \hat\lambda

    where:

    - :math:`\hat\lambda` are the weights of the other rule (``rule``, one of :data:`RULES`, with
      ``parameters``) for this batch;
    - :math:`\lambda` is the average (``state["average"]``), at first the first batch's weights;
    - :math:`\alpha` is the share of the past (``share``; 0.9 as in TorchJD's ``CRMOGMWeighting``,
      where the paper lets it rise towards 1 as the learning rate falls): at 0 it is the rule.

    The weights are averaged as they are: a rule whose weights have the scale of 1 over the
    gradients' length, as ``nash_mtl``, is averaged with that scale.

    Args:
        rule: The gradient rule's name; not a plug-in, whose code a study's hash would not see.
        share: From 0 to 1.
        parameters: The rule's own parameters by name.
    """

    source: ClassVar[str] = "Zhou et al. 2022, NeurIPS 35 (CR-MOGM)"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        rule: str,
        share: float = 0.9,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        if not isinstance(rule, str) or rule not in RULES:
            raise unknown("rule", str(rule), RULES)
        if not isinstance(parameters, Mapping | None):
            refuse("parameters", "a mapping of names to values", parameters)
        self.share = number("share", share, minimum=0.0, maximum=1.0)
        own = list(signature(RULES[rule]).parameters.values())[2:]  # after objectives and weights
        check_parameter_names(own, parameters or {}, f"rule {rule!r}")
        self.rule = RULES[rule](objectives, weights, **(parameters or {}))
        self.upper_bounds = self.rule.upper_bounds
        self.halves = self.rule.halves
        self.state["average"] = torch.full_like(self.weights, torch.nan, dtype=torch.float64)
        self._keep()

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        self._restore()
        found = self.rule.weigh(gramian, losses)
        self._keep()
        before = self.state["average"].to(found)
        average = self.share * before + (1 - self.share) * found
        self.state["average"] = found.clone() if before.isnan().any() else average
        return self.state["average"].clone()

    def update(self, feedback: Feedback) -> None:
        self._restore()
        self.rule.update(feedback)
        self._keep()

    def metrics(self) -> dict[str, float]:
        self._restore()
        average = self.state["average"]
        shown = self.weights.to(average) if average.isnan().any() else average
        return self.rule.metrics() | self.by_objective("weight", shown)

    def _restore(self) -> None:
        """Give the rule its part of the state, which a checkpoint may have replaced."""
        own = {key: value for key, value in self.state.items() if key.startswith(OWN)}
        self.rule.state = {key.removeprefix(OWN): value for key, value in own.items()}

    def _keep(self) -> None:
        """Take the rule's state over into this one."""
        self.state |= {f"{OWN}{key}": value for key, value in self.rule.state.items()}
