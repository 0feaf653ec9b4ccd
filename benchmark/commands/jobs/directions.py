"""Make directions of steps that training did not make: other batches, other optimizers.

A direction is one tensor for each trainable parameter, in the model's order.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import Module

from benchmark.commands.jobs.replay import Replay
from benchmark.models.policy.differentiation import differentiable
from benchmark.models.policy.gradients import ALL, select_parameters
from benchmark.models.policy.logps import Batch, forward_of, token_logps

ROWS = 64  # completions in one graph

Direction = Sequence[Tensor]
Steps = Mapping[str, Callable[[], Direction]]  # made one at a time: each is as large as the model


def other_steps(replay: Replay, held_out: Direction) -> Steps:
    """Return the steps of :data:`benchmark.diagnosis.samples.DIRECTIONS`, as long as the one made.

    ``held_out`` is the direction of ascent on other completions.
    """
    epsilon = replay.trainer.args.adam_epsilon

    def step(gradient: Direction, sign: float, remade: bool) -> Direction:
        own = [sign * each for each in gradient]
        return of_length(without_memory(own, epsilon) if remade else own, replay.direction)

    return {
        "own/gradient": lambda: step(replay.gradient, -1.0, False),
        "own/optimizer": lambda: step(replay.gradient, -1.0, True),
        "held_out/gradient": lambda: step(held_out, 1.0, False),
        "held_out/optimizer": lambda: step(held_out, 1.0, True),
    }


def ascent(
    model: Module, batches: Sequence[Batch], raised: Tensor, temperature: float
) -> list[Tensor]:
    """Return the mean over completions of the gradient of raised (B, T) · log-probabilities.

    On-policy that is the direction in which the loss falls fastest, but for regularisers. Costs one
    forward and one backward pass.
    """
    parameters = select_parameters(model, ALL)
    total = [torch.zeros_like(parameter) for parameter in parameters]
    forward, start = forward_of(model, temperature), 0
    with torch.enable_grad(), differentiable(model):
        for batch in batches:
            for rows in torch.arange(len(batch["completion_ids"])).split(ROWS):
                here = {key: value[rows.to(value.device)] for key, value in batch.items()}
                logps = token_logps(forward, here)
                signal = raised[start : start + len(rows), : logps.size(1)].to(logps)
                start += len(rows)
                if not logps.requires_grad:  # no completion has a token
                    continue
                gradients = torch.autograd.grad(
                    (signal * logps).sum() / len(raised), parameters, allow_unused=True
                )
                for own, found in zip(total, gradients, strict=True):
                    if found is not None:
                        own += found
    return total


def without_memory(gradient: Direction, epsilon: float) -> list[Tensor]:
    """Return the step that Adam makes of a gradient first of all: g / (|g| + ε), entry by entry."""
    return [each / (each.abs() + epsilon) for each in gradient]


def of_length(direction: Direction, other: Direction) -> list[Tensor]:
    """Return a direction as long as another one; one of no length stays as it is."""
    own, wanted = _length(direction), _length(other)
    return [each * (wanted / own) for each in direction] if own > 0 else list(direction)


def _length(direction: Direction) -> float:
    return sum(each.double().square().sum().item() for each in direction) ** 0.5
