"""Differentiate a policy by its parameters: the surroundings, and derivatives along a direction."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, jvp
from torch.nn import Module
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.logps import Batch, forward_of, token_logps

Direction = Mapping[str, Tensor] | Sequence[Tensor]


@contextmanager
def differentiable(model: Module) -> Iterator[None]:
    """Evaluate the model without dropout, and with attention that has all derivatives.

    The fused kernels of ``scaled_dot_product_attention`` have neither forward mode nor second
    derivatives. A model in double precision computes in it throughout. The model's own mode is
    restored afterwards.
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
    """Computes in double precision what a model computes in single precision on purpose.

    Normalisations and softmaxes of language models convert to ``float32`` for any type of weights,
    which would leave a double-precision model with single-precision errors.
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
    """Return the trainable parameters by name, outside any graph; tied ones once."""
    found = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not found:
        raise CrosstalkError("model: all its parameters are frozen; it has no direction to move in")
    return found


def directional_logps(
    model: Module, direction: Direction, batch: Batch, *, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    r"""Return the log-probabilities of completion tokens and their derivatives along a direction.

    :math:`\log \pi_\theta(y_l | x, y_{<l})` and :math:`\frac{d}{dt} \log \pi_{\theta + t u}(y_l |
    x, y_{<l})` at :math:`t = 0`, u being ``direction``: summed over a completion's tokens and
    correlated with its reward within the prompt, the latter is the exact first-order change of the
    objective along u, :math:`\mathbb{E}_x \mathrm{Cov}(r, \sum_l u^\top \nabla \log \pi)`.

    Costs about three forward passes (one with tangents) and no backward pass, without a graph.

    Args:
        model: The policy; called in evaluation mode, its parameters untouched.
        direction: u by the parameters' names, those absent being 0; or one tensor for each
            trainable parameter in the model's order.
        batch: See :data:`benchmark.models.policy.logps.Batch`.
        temperature: What logits are divided by before the softmax.

    Returns:
        Two (b, T), 0 at padding, of the parameters' precision but at least single.
    """
    values, tangents = trainable(model), matched(model, direction)

    def forward(ids: Tensor, mask: Tensor, kept: int) -> Tensor:
        def logps(at: dict[str, Tensor]) -> Tensor:
            def call(**arguments: Any) -> Any:
                return functional_call(model, at, (), arguments)

            return forward_of(call, temperature)(ids, mask, kept)

        return torch.complex(*jvp(logps, (values,), (tangents,)))  # the pair, as one number

    with torch.no_grad(), differentiable(model):
        try:
            both = token_logps(forward, batch)
        except (NotImplementedError, RuntimeError) as error:
            if "forward" in str(error) or "jvp" in str(error):
                raise CrosstalkError(f"model: it lacks forward differentiation: {error}") from error
            raise
    return (both.real, both.imag) if both.is_complex() else (both, torch.zeros_like(both))


def matched(model: Module, direction: Direction) -> dict[str, Tensor]:
    """Return a direction as one finite tensor for each trainable parameter, by name."""
    values = trainable(model)
    if not isinstance(direction, Mapping):
        if len(direction) != len(values):
            raise ValueError(
                f"direction: expected {len(values)} tensors, one for each trainable parameter, "
                f"got {len(direction)}"
            )
        direction = dict(zip(values, direction, strict=True))
    for name, given in direction.items():
        if name not in values:
            raise ValueError(f"direction: {name!r} is not a trainable parameter of the model")
        if given.shape != values[name].shape:
            raise ValueError(
                f"direction: {name!r}: expected shape {tuple(values[name].shape)}, "
                f"got {tuple(given.shape)}"
            )
        if not given.isfinite().all():
            raise ValueError(f"direction: {name!r} has entries that are not finite")
    return {
        name: direction[name].detach().to(value) if name in direction else torch.zeros_like(value)
        for name, value in values.items()
    }
