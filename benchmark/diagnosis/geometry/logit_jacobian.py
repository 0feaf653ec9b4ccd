"""Multiply by the Jacobian of a policy's logits by its parameters, without writing it out.

Memory is that of a few passes through the model and of a few vectors of its parameters' size.
"""

from collections import Counter
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, jvp
from torch.nn import Module

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.differentiation import differentiable, in_double, trainable

Floats = NDArray[np.float64]
Mode = Literal["reverse", "forward"]


class LogitJacobian:
    r"""Z (N·V, P): derivatives of the V logits at N states by the P trainable parameters.

    It works on a copy of the model in double precision: small singular values are lost in single.

    Args:
        model: The policy; untouched.
        ids: The states (N, L): prefixes of prompt and completion, padded on the left.
        mask: Their attention mask (N, L).
        mode: How products Z u are made. ``reverse``: the derivative by v of :math:`u^\top (Z^\top
            v)`, one backward pass through the graph of a backward pass; the graph is kept between
            products, so no forward pass is repeated. ``forward``: a forward pass with tangents,
            which keeps no second graph.

    Attributes:
        passes: Passes made so far: ``forward``, ``backward``, and ``tangent``, which is a product Z
            u in either mode and costs about two forward passes more than a backward pass does.
    """

    def __init__(self, model: Module, ids: Tensor, mask: Tensor, *, mode: Mode = "reverse") -> None:
        trainable(model)
        self.model, self.mode, self.passes = in_double(model), mode, Counter[str]()
        self._inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        self._inputs |= {"logits_to_keep": 1}
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        with torch.enable_grad(), differentiable(self.model):
            self._logits = self.model(**self._inputs).logits[:, -1].reshape(-1)  # (N·V,)
        self.passes["forward"] += 1
        if not self._logits.isfinite().all():
            raise CrosstalkError("model: its logits are not finite on the probe states")
        self.states = len(ids)
        self.shape = (self._logits.numel(), sum(p.numel() for p in self.parameters))
        self._above: Tensor | None = None  # v, and Zᵀ v as a function of it
        self._below: list[Tensor] = []

    @property
    def logits(self) -> Tensor:
        """The logits (N, V)."""
        return self._logits.detach().reshape(self.states, -1)

    def transposed(self, v: Floats) -> Floats:
        """Return Zᵀ v (P,) for v (N·V,): one backward pass."""
        self.passes["backward"] += 1
        return _flat(self._backward(self._tensor(v), create_graph=False))

    def times(self, u: Floats) -> Floats:
        """Return Z u (N·V,) for u (P,): one pass of tangents."""
        self.passes["tangent"] += 1
        sizes = [p.numel() for p in self.parameters]
        pieces = self._tensor(u).split(sizes)
        shaped = [piece.view_as(p) for piece, p in zip(pieces, self.parameters, strict=True)]
        product = self._by_tangents if self.mode == "forward" else self._twice
        return product(shaped).numpy(force=True)

    def gram(self, v: Floats) -> Floats:
        """Return the product of the smaller Gram matrix with a vector: Z Zᵀ v or Zᵀ Z v."""
        rows, columns = self.shape
        return self.times(self.transposed(v)) if rows <= columns else self.transposed(self.times(v))

    def _tensor(self, values: Floats) -> Tensor:
        flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
        return torch.from_numpy(flat).to(self._logits.device)

    def _backward(self, v: Tensor, *, create_graph: bool) -> list[Tensor]:
        options = {"retain_graph": True, "create_graph": create_graph, "materialize_grads": True}
        return list(torch.autograd.grad(self._logits, self.parameters, v, **options))

    def _twice(self, u: list[Tensor]) -> Tensor:
        if self._above is None:
            self._above = torch.zeros_like(self._logits).requires_grad_()
            self._below = self._backward(self._above, create_graph=True)
            self.passes["backward"] += 1
        pairs = [(g, t) for g, t in zip(self._below, u, strict=True) if g.requires_grad]
        (found,) = torch.autograd.grad(
            [g for g, _ in pairs], self._above, [t for _, t in pairs], retain_graph=True
        )
        return found

    def _by_tangents(self, u: list[Tensor]) -> Tensor:
        values = trainable(self.model)

        def logits(at: dict[str, Tensor]) -> Tensor:
            output = functional_call(self.model, at, (), self._inputs)
            return output.logits[:, -1].reshape(-1)

        with torch.no_grad(), differentiable(self.model):
            tangents = dict(zip(values, u, strict=True))
            return jvp(logits, (values,), (tangents,))[1]


def gram_matrix(size: int, product: Callable[[Floats], Floats]) -> Floats:
    """Return the symmetric (size, size) matrix whose products with vectors are given."""
    matrix = np.empty((size, size))
    unit = np.zeros(size)
    for column in range(size):
        unit[column] = 1.0
        matrix[:, column] = product(unit)
        unit[column] = 0.0
    return (matrix + matrix.T) / 2


def _flat(values: list[Tensor]) -> Floats:
    return torch.cat([value.reshape(-1) for value in values]).numpy(force=True)
