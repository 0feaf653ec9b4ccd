"""``dynamic``: weights move to the objectives whose gradients help the others."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from benchmark.common.parameters import number
from benchmark.scalarizers.base import GradientScalarizer

SMALLEST_REGULARIZATION = 1e-12
LOG_RANGE = 40.0  # e^-40 = 4e-18: such a weight is no weight, but can grow again


class Dynamic(GradientScalarizer):
    r""":class:`~benchmark.scalarizers.base.GradientScalarizer` by influence.

    The gradient-based rule of `Learning to Optimize Multi-Objective Alignment Through Dynamic
    Reward Weighting <https://arxiv.org/abs/2509.11452>`_. An objective gains weight by how far a
    step along its gradient is a step along all of them:

    .. math::
        w \leftarrow \mathrm{softmax}\Big( \log w + \frac{\eta}{\mu} I \Big), \qquad
        I_j = \sum_k \langle g_j, g_k \rangle

    where:

    - :math:`I_j` is the influence of objective j (from ``gramian``), a sum over all objectives,
      itself among them;
    - :math:`w` are the weights of the sum, on the simplex (the exponential of
      ``state["log_weights"]``), at first the preference weights (``weights``; an objective of
      weight 0 stays out and has no part in the sums);
    - :math:`\eta` is the policy's learning rate (``step_size``; 1e-6, the study's) and :math:`\mu`
      the regularisation of the weights (``regularization``; the study's 1e-5). Their quotient
      alone matters, so the default is 0.1, whatever rate a study trains with.

    The weights are a statistic of the batch being scalarized: :meth:`weigh` moves them first and
    then weighs the same batch, so it has to be called once per batch. The study's released code
    multiplies by the learning rate a second time, a quotient of 1e-7, with which the weights hardly
    move; here it counts once. The study takes the gradients of some middle layers: that is the
    trainer's option ``gramian_parameters``, which holds for all methods alike. The influence grows
    with the square of the gradients' length, so that the step is a matter of the model as much as
    of the quotient: squares of about 10 move a log weight by about 1 a step, and one objective has
    all the weight within a few.

    Logarithms of weights stay within 40 of the largest: an objective can come back.

    Args:
        step_size: At least 0.
        regularization: At least 1e-12.
    """

    source: ClassVar[str] = "Lu et al. 2025, arXiv 2509.11452"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        step_size: float = 1e-6,
        regularization: float = 1e-5,
    ) -> None:
        super().__init__(objectives, weights)
        self.step_size = number("step_size", step_size, minimum=0.0)
        self.regularization = number("regularization", regularization, SMALLEST_REGULARIZATION)
        self.state["log_weights"] = self.weights.double().log()

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        present = (self.weights > 0).to(gramian)
        influence = self.step_size / self.regularization * (gramian @ present)
        moved = self.state["log_weights"] + influence
        kept = (moved - moved.max()).clamp(min=-LOG_RANGE).where(present > 0, -float("inf"))
        self.state["log_weights"] = kept.log_softmax(dim=0)
        return self._current_weights()

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self._current_weights())

    def _current_weights(self) -> Tensor:
        return self.state["log_weights"].exp()
