"""What derivatives of a policy need around them: kernels, modes, real double precision."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from benchmark.common.errors import CrosstalkError


@contextmanager
def differentiable(model: Module) -> Iterator[None]:
    """Evaluate the model without dropout, and with attention that can be differentiated at will.

    The fused kernels of ``scaled_dot_product_attention`` have neither forward mode nor second
    derivatives. A model in double precision is computed in it throughout. The model's own mode is
    put back in the end.
    """
    training = model.training
    double = next(model.parameters()).dtype is torch.float64
    model.eval()
    try:
        with sdpa_kernel(SDPBackend.MATH), DoublePrecision() if double else nullcontext():
            yield
    finally:
        model.train(training)


class DoublePrecision(TorchFunctionMode):
    """Within it, what a model computes in single precision on purpose is computed in double.

    Normalisations and softmaxes of language models convert to ``float32`` whatever the weights'
    type, which would leave a double-precision model with single-precision errors.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace the type in any call that asks for single precision."""
        func = Tensor.double if func is Tensor.float else func
        given = {key: _widened(value) for key, value in (kwargs or {}).items()}
        return func(*map(_widened, args), **given)


def _widened(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


def in_double(model: Module) -> Module:
    """Return a copy of a model in double precision, to be called within :func:`differentiable`."""
    return copy.deepcopy(model).double()


def trainable(model: Module) -> dict[str, Tensor]:
    """Return the trainable parameters by name, outside any graph; tied ones once.

    Raises:
        CrosstalkError: All are frozen.
    """
    found = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not found:
        raise CrosstalkError("model: all its parameters are frozen; it has no direction to move in")
    return found
