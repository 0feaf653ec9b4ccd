r"""What the loss raises for a completion, where that is not its advantage.

The gradient of every loss here, on-policy, is :math:`E[c(y) \sum_l \hat A_l \nabla \log \pi(y_l)]`,
with a factor c for how the loss averages over tokens. TRL's names (``GRPOConfig.loss_type``):

* ``grpo``, a mean over the completion's tokens, then over completions: :math:`c = 1/|y|`. Short
  completions count for more, which is another signal than the advantage;
* ``dapo`` and ``bnpo``, a mean over the tokens of all completions, of the whole batch or of each
  micro-batch: :math:`c = 1/E|y|`, the same for all of a batch;
* ``dr_grpo``, a sum over the longest completion allowed, L: :math:`c = 1/L`.

Sources: Shao et al., `DeepSeekMath <https://arxiv.org/abs/2402.03300>`_ (eq. 3); Yu et al., `DAPO
<https://arxiv.org/abs/2503.14476>`_ (eq. 8); Liu et al., `Understanding R1-Zero-Like Training
<https://arxiv.org/abs/2503.20783>`_ (section 3.1).
"""

import torch
from torch import Tensor

from benchmark.common.errors import unknown

LOSSES = ("grpo", "dapo", "bnpo", "dr_grpo")


def length_factor(lengths: Tensor, loss: str, longest: int) -> Tensor:
    """Return c (B,) of completions.

    Args:
        lengths: Their tokens (B,); 0 counts as 1.
        loss: One of :data:`LOSSES`.
        longest: The most tokens a completion may have, L.
    """
    tokens = lengths.double().clamp(min=1)
    match loss:
        case "grpo":
            return 1 / tokens
        case "dapo" | "bnpo":
            return torch.full_like(tokens, 1 / float(tokens.mean()))
        case "dr_grpo":
            return torch.full_like(tokens, 1 / longest)
    raise unknown("loss", loss, LOSSES)
