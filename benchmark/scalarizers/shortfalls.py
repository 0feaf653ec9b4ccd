"""The objectives' losses: how far mean rewards fall short of their upper bounds.

Policy-gradient losses are signed and about zero on-policy, whatever the policy is worth; methods
that take logarithms or ratios of losses need these in their place.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError


def shortfalls(rewards: Tensor, upper_bounds: Tensor, weights: Tensor | None = None) -> Tensor:
    r"""Return :math:`\ell_j = b_j - \sum_k v_k r_{kj} / \sum_k v_k` (M,), in double precision.

    ``rewards`` is r (B, M), NaN where an objective does not apply: such completions stay out, and
    an objective without any has the loss NaN. ``upper_bounds`` is b (M,). ``weights`` is v (B,), at
    least 0, such as probability ratios that carry the mean over to another policy; equal if None.
    """
    applies = rewards.isfinite()
    values = torch.where(applies, rewards.double(), 0.0)
    counted = applies.double()
    if weights is not None:
        counted = counted * weights.double()[:, None]
    means = (counted * values).sum(dim=0) / counted.sum(dim=0)
    return upper_bounds.to(means) - means


def nonnegative(losses: Tensor, objectives: Sequence[str]) -> Tensor:
    """Return losses (M,), 0 where rounding left one below; refuse a reward above its bound."""
    for name, loss in zip(objectives, losses.tolist(), strict=True):
        if loss < -1e-6:
            raise CrosstalkError(
                f"upper_bounds: expected one that no reward exceeds, got one for {name!r} that is "
                f"{-loss:g} below its mean reward"
            )
    return losses.clamp(min=0.0)
