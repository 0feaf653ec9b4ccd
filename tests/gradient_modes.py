"""Trainings by a gradient scalarizer beside the same by ``linear``, which they must equal."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from benchmark.scalarizers import GradientScalarizer, Linear
from benchmark.training import MultiObjectiveGRPOTrainer

NAMES = ["few", "low"]
# Plain gradient descent, unclipped: how far the weights move says what the gradient was.
DESCENT = {"optim": "sgd", "learning_rate": 0.5, "max_grad_norm": 1e9, "max_steps": 2}
ACCUMULATION = {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 4}


class Fixed(GradientScalarizer):
    """Weighs by the preference weights, or by others, whatever the Gramian; keeps what it saw."""

    def __init__(
        self,
        weights: Sequence[float] = (3, 1),
        given: Sequence[float] = (),
        *,
        halves: bool = False,
    ) -> None:
        super().__init__(NAMES, weights)
        self.halves = halves
        self.given = torch.tensor(given) if given else self.weights
        self.gramians: list[Tensor] = []
        self.losses: list[Tensor] = []

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        self.gramians.append(gramian)
        self.losses.append(losses)
        return self.given


class Movement(TrainerCallback):
    """Notes where the trained weights are when training begins."""

    def on_train_begin(self, *args: Any, model: torch.nn.Module, **kwargs: Any) -> None:
        self.start = flat(model)


def flat(model: torch.nn.Module) -> Tensor:
    """Return all trained weights in one vector (n,)."""
    return torch.cat([p.detach().double().flatten() for p in model.parameters() if p.requires_grad])


def movement(trainer: MultiObjectiveGRPOTrainer) -> Tensor:
    """Train; return how far the trained weights moved (n,)."""
    seen = Movement()
    trainer.add_callback(seen)
    trainer.train()
    return flat(trainer.model) - seen.start


def both(make: Callable[..., MultiObjectiveGRPOTrainer], **changes: Any) -> tuple[Tensor, Tensor]:
    """Return the movement by ``linear`` and by :class:`Fixed` with the same weights."""
    linear = {name: value for name, value in changes.items() if name != "gramian_parameters"}
    settings = {"estimator": "dr_grpo"}  # linear in the scores, so that the two are the same
    plain = movement(make(Linear(NAMES, [3, 1]), **(DESCENT | settings | linear)))
    return plain, movement(make(Fixed(), **(DESCENT | settings | changes)))


def distance(first: Tensor, second: Tensor) -> float:
    """Return how far apart two movements are, as a share of the first."""
    assert first.norm() > 1e-4
    return float((first - second).norm() / first.norm())
