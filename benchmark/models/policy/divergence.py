"""Notice that a policy has diverged: its weights or logits are no numbers any more.

Importing this module is cheap; torch is imported where it is used.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark.common.errors import Diverged

if TYPE_CHECKING:
    from torch import Tensor, nn


@contextmanager
def refuse_bad_logits(model: "nn.Module") -> Iterator[None]:
    """Raise in the block when the policy's output head gives NaN or plus infinity.

    Sampling would fail on them without saying why; on a GPU it would take the process with it. The
    head's output is looked at, so this holds whatever wraps the model.

    Raises:
        Diverged: A logit is NaN or infinite.
    """
    find = getattr(model, "get_output_embeddings", None)
    head: nn.Module | None = find() if find is not None else None
    if head is None:
        yield
        return
    handle = head.register_forward_hook(_refuse)
    try:
        yield
    finally:
        handle.remove()


def _refuse(head: Any, inputs: Any, logits: "Tensor") -> None:
    # False for NaN as well; minus infinity is a token that cannot be drawn.
    if not bool((logits < float("inf")).all()):
        raise Diverged("the policy's logits are not finite")


def check_weights(parameters: "Iterable[nn.Parameter]") -> None:
    """Raise if any trained weight is NaN or infinite.

    Raises:
        Diverged: With how many they are.
    """
    from torch.nn.utils import get_total_norm

    trained = [p.detach() for p in parameters if p.requires_grad]
    parts = [getattr(p, "_local_tensor", p) for p in trained]  # a process sees its own shards
    local = [part for part in parts if part.numel()]
    if bool(get_total_norm(local, float("inf")).isfinite()):
        return
    bad = sum(int((~each.isfinite()).sum()) for each in local)
    total = sum(each.numel() for each in local)
    raise Diverged(f"{bad:,} of {total:,} trained weights are not finite")
