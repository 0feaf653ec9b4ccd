"""Collect the gradients of several losses on one graph: their Gramian and their weighted sum.

The forward pass is shared; each loss adds one backward pass. Gradients are held in the precision of
the parameters, per loss, and turned into anything wider a block at a time.
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn import Module, Parameter

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.token_head import TokenHead

ALL, LORA = "all", "lora"
BLOCK = 2**22  # entries of a gradient that are widened at a time

Gradient = list[Tensor | None]  # one entry a parameter, None where the loss does not depend on it


def select_parameters(model: Module, which: str) -> list[Parameter]:
    """Return the trainable parameters that ``which`` selects.

    That is ``all``, ``lora`` for only the adapters', or a regular expression that is searched for
    in the parameters' names.
    """
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trainable:
        raise CrosstalkError("model: all its parameters are frozen; there is no gradient to weigh")
    if which == ALL:
        return list(trainable.values())
    pattern = parameter_pattern(which)
    chosen = [p for name, p in trainable.items() if pattern.search(name)]
    if not chosen:
        raise CrosstalkError(
            f"gramian_parameters: expected a pattern in the name of one of {len(trainable)} "
            f"trainable parameters, such as {', '.join(list(trainable)[-3:])}, got {which!r}"
        )
    return chosen


def parameter_pattern(which: str) -> re.Pattern[str]:
    """Return the regular expression that selects parameters by name."""
    try:
        return re.compile({ALL: "", LORA: r"\blora_"}.get(which, which))
    except re.error as error:
        raise CrosstalkError(
            f"gramian_parameters: expected {ALL!r}, {LORA!r} or a regular expression, "
            f"got {which!r}: {error}"
        ) from error


def reshard(model: Module) -> None:
    """Put FSDP2's sharded parameters back into the model.

    A forward pass without a backward pass leaves whole ones in it, which hold no gradients.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


class Gradients:
    """The gradients of M losses, summed over the micro-batches of an update.

    Args:
        model: The policy, not wrapped for data parallelism.
        parameters: What the gradients are taken by.
        count: M.
        trained: All trainable parameters of the model; ``parameters`` if None.
    """

    def __init__(
        self,
        model: Module,
        parameters: Sequence[Parameter],
        count: int,
        trained: Sequence[Parameter] | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.rows: list[Gradient] = [[None] * len(self.parameters) for _ in range(count)]
        self._trained = self.parameters if trained is None else list(trained)
        self.sharded = [module for module in model.modules() if isinstance(module, FSDPModule)]

    def add(self, row: int, loss: Tensor, head: TokenHead | None = None) -> None:
        """Add the gradient of a micro-batch's loss () to that of the given row; keep the graph.

        Args:
            row: From 0 to M - 1.
            loss: The loss.
            head: The micro-batch's, if no parameter of the projection is among those measured.
        """
        own = self.rows[row]
        for index, new in enumerate(self._gradient(loss, head)):
            if new is not None:
                old = own[index]
                own[index] = new if old is None else old.add_(new)

    def _gradient(self, loss: Tensor, head: TokenHead | None) -> Gradient:
        """Return the loss's gradient as this process has it, or averaged if it is sharded.

        Parameters sharded by FSDP2 are no leaves of the graph: their gradients come by a backward
        pass through the whole model.
        """
        if not self.sharded:
            start = ([loss], None) if head is None else ([head.states], [head.gradient(loss)])
            options = {"retain_graph": True, "allow_unused": True}
            return list(torch.autograd.grad(start[0], self.parameters, start[1], **options))
        for module in self.sharded:  # accumulating, they would keep their gradients to themselves
            module.set_requires_gradient_sync(True, recurse=False)
        kept = [p.grad for p in self._trained]
        for p in self._trained:
            p.grad = None
        loss.backward(retain_graph=True)
        harvest = [p.grad for p in self.parameters]
        for p, before in zip(self._trained, kept, strict=True):
            p.grad = before
        return harvest

    @torch.no_grad()
    def average(self) -> None:
        """Average over the processes what is not sharded among them, in place."""
        processes = _processes()
        if processes == 1:
            return
        for index, parameter in enumerate(self.parameters):
            if isinstance(parameter, DTensor):
                continue
            for row in self.rows:  # a process whose batch lacks a gradient takes part all the same
                own = row[index]
                total = torch.zeros_like(parameter) if own is None else own.contiguous()
                torch.distributed.all_reduce(total)
                row[index] = total.div_(processes)

    @torch.no_grad()
    def gramian(self) -> Tensor:
        """Return the inner products of the rows (M, M), in double precision on the CPU."""
        device = self.parameters[0].device
        total = torch.zeros(len(self.rows), len(self.rows), dtype=torch.float64, device=device)
        sharded = torch.zeros_like(total)
        for index, parameter in enumerate(self.parameters):
            column = [row[index] for row in self.rows]
            if all(value is None for value in column):
                continue
            local = [_local(parameter if value is None else value) for value in column]
            absent = torch.tensor([value is None for value in column], device=device)
            products = _inner_products(local)
            products[absent, :] = products[:, absent] = 0.0
            if isinstance(parameter, DTensor):
                sharded += products / _replicas(parameter)
            else:
                total += products
        if _processes() > 1:
            torch.distributed.all_reduce(sharded)
        return (total + sharded).cpu()

    @torch.no_grad()
    def weighted(self, weights: Sequence[float]) -> Gradient:
        """Return the weighted sum of the rows, in the parameters' precision."""
        combined: Gradient = []
        for index, parameter in enumerate(self.parameters):
            total = torch.zeros_like(parameter, dtype=_wide(parameter.dtype))
            for weight, row in zip(weights, self.rows, strict=True):
                value = row[index]
                if value is not None and weight:
                    total += weight * value.to(total.dtype)
            combined.append(total.to(parameter.dtype))
        return combined


class _Deposit(torch.autograd.Function):
    """Passes the loss on; its backward pass adds given gradients to the parameters."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: Gradient, *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.detach().clone()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        found = [None if value is None else value * above[0] for value in ctx.gradients]
        return above[0], None, *found


def deposit(loss: Tensor, gradients: Gradient, parameters: Sequence[Parameter]) -> Tensor:
    """Return the loss (), whose backward pass adds ``gradients`` to those of ``parameters``.

    The loss's own gradient is added too; detach the loss to leave that out.
    """
    return _Deposit.apply(loss, gradients, *parameters)


def _inner_products(values: Sequence[Tensor]) -> Tensor:
    """Return the inner products (M, M) of M tensors of one shape, in double precision."""
    flat = [value.reshape(-1) for value in values]
    total = torch.zeros(len(flat), len(flat), dtype=torch.float64, device=flat[0].device)
    for start in range(0, flat[0].numel(), BLOCK):
        block = torch.stack([value[start : start + BLOCK] for value in flat])
        block = block.to(_wide(block.dtype))
        total += (block @ block.T).double()
    return total


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type that sums over values of a type are made in."""
    return torch.promote_types(dtype, torch.float32)


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _replicas(parameter: DTensor) -> int:
    """Return the number of processes that hold each entry of a sharded parameter."""
    mesh, replicas = parameter.device_mesh, 1
    for axis, placement in enumerate(parameter.placements):
        replicas *= mesh.size(axis) if placement.is_replicate() else 1
    return replicas


def _processes() -> int:
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if ready else 1
