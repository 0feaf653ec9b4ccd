"""Weights from a scalarization of the objectives' losses, for the methods that are one.

A scalarization :math:`S(\\ell)` makes one loss of several. Its gradient is that of the weighted sum
of the losses with the weights :math:`\\partial S / \\partial \\ell_j`, and the losses here are
shortfalls of mean rewards; see ``shortfalls``. TorchJD has the scalarizations. Shapes: M
objectives, B completions.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmark.scalarizers.base import Scalarizer
from benchmark.scalarizers.shortfalls import nonnegative, shortfalls
from benchmark.scalarizers.vectors import vector


class FollowsLosses(Scalarizer, ABC):
    r"""The base of scalarizers whose weights are a function of the present batch's losses.

    .. math::
        \lambda_j = \frac{\partial S / \partial \ell_j}{\sum_l |\partial S / \partial \ell_l|},
        \qquad \ell_j = b_j - \bar r_j

    The magnitudes of the weights sum to 1, which keeps the size of a step comparable between rules.
    An objective that applies to no completion of the batch has weight 0. Where all derivatives are
    0 the weights stay as they were (``state["current_weights"]``; at first ``weights``).

    Args:
        upper_bounds: b, one value per objective; 1 each if None.
    """

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        upper_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(objectives, weights)
        if upper_bounds is not None:
            self.upper_bounds = vector("upper_bounds", upper_bounds, len(self.objectives))
        self.state["current_weights"] = self.weights.double()

    @abstractmethod
    def slopes(self, losses: Tensor) -> Tensor:
        """Return the derivatives (M,) of the scalarization at losses (M,), finite or 0 for NaN."""

    def follow(self, rewards: Tensor) -> Tensor:
        """Return the weights (M,) of a batch of rewards (B, M), and keep them."""
        found = self.slopes(self.losses(rewards))
        total = found.abs().sum()
        if total > 0:
            self.state["current_weights"] = found / total
        return self.state["current_weights"]

    def losses(self, rewards: Tensor) -> Tensor:
        """Return the losses (M,) of rewards (B, M), on the CPU.

        Raises:
            CrosstalkError: A mean reward is above its bound.
        """
        return nonnegative(shortfalls(rewards, self.upper_bounds).cpu(), self.objectives)

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["current_weights"])


def slopes(
    scalarization: Callable[[Tensor, Tensor], Tensor], losses: Tensor, weights: Tensor
) -> Tensor:
    """Return the derivatives (M,) of a scalarization of losses (M,) in double precision.

    ``scalarization`` makes one number of the losses that are finite and their preference weights.
    The derivative is 0 where a loss is not finite, and everywhere if all others have weight 0.
    """
    present = losses.isfinite()
    found = torch.zeros_like(losses, dtype=torch.float64)
    preferences = weights.double()[present]
    if preferences.sum() > 0:
        values = losses.double()[present].requires_grad_()
        with torch.enable_grad():
            total = scalarization(values, preferences)
        (found[present],) = torch.autograd.grad(total, values)
    return found
