"""Derivatives of a policy along a direction of its parameters, by forward-mode differentiation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.func import functional_call, jvp
from torch.nn import Module

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.differentiation import differentiable, in_double, trainable
from benchmark.models.policy.logps import token_logps

Direction = Mapping[str, Tensor] | Sequence[Tensor]
Method = Literal["auto", "forward", "differences"]

FIRST_STEP = 1e-2  # of central differences, relative to the direction's length
HALVINGS = 12


def directional_logps(
    model: Module,
    direction: Direction,
    batch: Mapping[str, Tensor],
    *,
    temperature: float = 1.0,
    method: Method = "auto",
    tolerance: float = 1e-6,
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
        batch: ``prompt_ids``, ``prompt_mask`` (b, P), ``completion_ids``, ``completion_mask``
            (b, T), as in :func:`benchmark.models.policy.logps.token_logps`.
        temperature: What logits are divided by before the softmax.
        method: ``forward`` mode; central ``differences`` in double precision on a copy of the
            model; ``auto`` takes the latter where an operation of the model lacks forward mode.
        tolerance: Of differences: the largest error, relative to the largest derivative.

    Returns:
        Two (b, T), 0 at padding, of the parameters' precision but at least single.

    Raises:
        CrosstalkError: The direction does not fit the model or is not finite, or differences do
            not come within the tolerance.
    """
    tangents = matched(model, direction)
    with torch.no_grad(), differentiable(model):
        if method != "differences":
            try:
                return _by_forward_mode(model, tangents, batch, temperature)
            except (NotImplementedError, RuntimeError) as error:
                lacking = any(word in str(error) for word in ("forward", "jvp"))
                if method == "forward" or not lacking:
                    raise
    return _by_differences(model, tangents, batch, temperature, tolerance)


def matched(model: Module, direction: Direction) -> dict[str, Tensor]:
    """Return a direction as one tensor for each trainable parameter, by name.

    Raises:
        CrosstalkError: A name, the number of tensors or a shape does not fit, or it is not finite.
    """
    values = trainable(model)
    if not isinstance(direction, Mapping):
        if len(direction) != len(values):
            raise CrosstalkError(
                f"direction: found {len(direction)} tensors, the model has {len(values)} trainable "
                "parameters"
            )
        direction = dict(zip(values, direction, strict=True))
    for name, given in direction.items():
        if name not in values:
            raise CrosstalkError(f"direction: {name!r} is no trainable parameter of the model")
        if given.shape != values[name].shape:
            raise CrosstalkError(
                f"direction: {name!r} has shape {tuple(given.shape)}, the parameter "
                f"{tuple(values[name].shape)}"
            )
        if not given.isfinite().all():
            raise CrosstalkError(f"direction: {name!r} has entries that are not finite")
    return {
        name: direction[name].detach().to(value) if name in direction else torch.zeros_like(value)
        for name, value in values.items()
    }


def _chosen_logps(
    model: Module, values: Mapping[str, Tensor], ids: Tensor, mask: Tensor, kept: int, heat: float
) -> Tensor:
    """Return the log-probabilities (n, kept) of the last ``kept`` tokens under given parameters."""
    arguments = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    arguments |= {"logits_to_keep": kept + 1}
    logits = functional_call(model, dict(values), (), arguments).logits[:, :-1]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / heat
    chosen = logits.gather(-1, ids[:, -kept:, None]).squeeze(-1)
    return chosen - logits.logsumexp(dim=-1)


def _by_forward_mode(
    model: Module, tangents: dict[str, Tensor], batch: Mapping[str, Tensor], temperature: float
) -> tuple[Tensor, Tensor]:
    values = trainable(model)

    def forward(ids: Tensor, mask: Tensor, kept: int) -> Tensor:
        def logps(at: dict[str, Tensor]) -> Tensor:
            return _chosen_logps(model, at, ids, mask, kept, temperature)

        return torch.complex(*jvp(logps, (values,), (tangents,)))  # the pair, as one number

    both = _masked(forward, batch)
    return (both.real, both.imag) if both.is_complex() else (both, torch.zeros_like(both))


def _by_differences(
    model: Module,
    tangents: dict[str, Tensor],
    batch: Mapping[str, Tensor],
    temperature: float,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    r"""Central differences, Richardson's step over two step sizes, halved until that is exact.

    D(h) has an error of order h²; (4 D(h/2) − D(h))/3 one of order h⁴, and the difference of two of
    those in a row bounds what is left.
    """
    precise = in_double(model)
    values = trainable(precise)
    wide = {name: value.double() for name, value in tangents.items()}

    def logps(distance: float) -> Tensor:
        at = {name: value + distance * wide[name] for name, value in values.items()}

        def forward(ids: Tensor, mask: Tensor, kept: int) -> Tensor:
            return _chosen_logps(precise, at, ids, mask, kept, temperature)

        with torch.no_grad(), differentiable(precise):
            return _masked(forward, batch)

    def difference(step: float) -> Tensor:
        return (logps(step) - logps(-step)) / (2 * step)

    length = float(torch.stack([value.norm() for value in wide.values()]).norm())
    dtype = torch.promote_types(next(iter(tangents.values())).dtype, torch.float32)
    here = logps(0.0).to(dtype)
    if length == 0.0:
        return here, torch.zeros_like(here)
    step = FIRST_STEP / length
    coarse, before = difference(step), None
    for _ in range(HALVINGS):
        step /= 2
        fine = difference(step)
        refined = (4 * fine - coarse) / 3
        if before is not None:
            error = float((refined - before).abs().max())
            if error <= tolerance * float(refined.abs().max()):
                return here, refined.to(dtype)
        coarse, before = fine, refined
    raise CrosstalkError(
        f"direction: differences of log-probabilities do not come within {tolerance:g} of a "
        f"derivative, down to steps of {step * length:.1g}"
    )


def _masked(
    forward: Callable[[Tensor, Tensor, int], Tensor], batch: Mapping[str, Tensor]
) -> Tensor:
    """Return token log-probabilities (b, T), exactly 0 where the mask is."""
    return token_logps(forward, batch).masked_fill(~batch["completion_mask"].bool(), 0.0)
