"""Share one backward pass through the vocabulary projection among losses of log-probabilities."""

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

KERNEL = "ChunkedLogProbFunctionBackward"  # TRL's node from hidden states to log-probabilities


def kernel_node(logps: Tensor) -> Node | None:
    """Return the graph's node of TRL's kernel that made the log-probabilities, if there is one."""
    node = logps.grad_fn
    while node is not None and node.name() != KERNEL:
        node = next((before for before, _ in node.next_functions if before is not None), None)
    return node


class TokenHead:
    """Makes losses' gradients by the hidden states, with one pass through the projection.

    A token's log-probability depends on its own hidden state alone. So the gradient of any loss of
    log-probabilities by hidden state t is that of log-probability t, the same for all losses, times
    the loss's by log-probability t, which costs next to nothing.

    Args:
        node: The graph's node that makes N log-probabilities of N hidden states.
        loss: Any loss () of them.
    """

    def __init__(self, node: Node, loss: Tensor) -> None:
        self.logps = GradientEdge(node, 0)
        before, output = node.next_functions[0]
        assert before is not None  # the hidden states are what is trained
        self.states = GradientEdge(before, output)
        ones = torch.ones_like(self._by_logp(loss))
        (self.slopes,) = torch.autograd.grad(  # (N, H)
            [self.logps], [self.states], [ones], retain_graph=True
        )

    def gradient(self, loss: Tensor) -> Tensor:
        """Return the gradient of a loss () by the hidden states (N, H)."""
        return (self._by_logp(loss)[:, None] * self.slopes).to(self.slopes.dtype)

    def _by_logp(self, loss: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(loss, [self.logps], retain_graph=True)
        return found  # (N,)
