"""What a gradient scalarizer asks of a trainer: one forward pass, one backward pass an objective.

For each micro-batch the trainer's own loss is taken once an objective on a shared forward pass,
without regularisers, and once for the regularisers alone. When the update's last micro-batch has
come, the Gramian of the objectives' gradients gives the weights, and the loss handed back has the
weighted sum of the gradients plus that of the regularisers as its gradient. What clips gradients,
accumulates them and steps stays the trainer's.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.gradients import (
    ALL,
    Gradient,
    Gradients,
    deposit,
    reshard,
    select_parameters,
)
from benchmark.models.policy.token_head import TokenHead, kernel_node
from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.shortfalls import shortfalls

Batch = dict[str, Any]
Logged = defaultdict[str, list[float]]
LossOf = Callable[[Any, Batch], Tensor]  # (model, micro-batch) -> the trainer's own loss ()


class Losses(NamedTuple):
    """A micro-batch's losses on one forward pass."""

    policy: list[Tensor]  # () each, one an objective
    regulariser: Tensor | None  # (), if there are regularisers
    logps: Tensor  # (b, T) of the forward pass


class GradientPath:
    """From micro-batches to a loss whose gradient is the one the scalarizer wants.

    Args:
        trainer: A GRPO trainer. Its regularisers are switched off while an objective's loss is
            taken, and its forward pass is made once a micro-batch.
        scalarizer: Who weighs the objectives.
        loss_of: The trainer's loss of a micro-batch with ``advantages`` (b,).
        which: The parameters that the Gramian is computed on: ``all``, ``lora``, or a regular
            expression that is searched for in their names. On a part of them a micro-batch costs
            one backward pass more, through the whole model, and the objectives' passes end at the
            part.

    Raises:
        CrosstalkError: The trainer's settings rule out gradients by objective, or there are no
            such parameters.
    """

    def __init__(
        self, trainer: Any, scalarizer: GradientScalarizer, loss_of: LossOf, which: str
    ) -> None:
        _check_supported(trainer)
        self.trainer = trainer
        self.scalarizer = scalarizer
        self.loss_of = loss_of
        self.which = which
        self._select()
        self.weights = scalarizer.weights  # (M,) of the latest update
        self.gramian = torch.zeros(len(self.weights), len(self.weights), dtype=torch.float64)
        self._gradients: Gradients | None = None  # of the update under way
        self._shared: list[Any] | None = None  # the micro-batch's forward pass, once it is made

    def _select(self) -> None:
        """Take the model's parameters as they are now: sharding puts others in their places."""
        reshard(self.trainer.model)
        self.everything = select_parameters(self.trainer.model, ALL)
        self.measured = select_parameters(self.trainer.model, self.which)

    @property
    def exact(self) -> bool:
        """Whether the Gramian is of all that is trained."""
        return len(self.measured) == len(self.everything)

    def forward_once(self, forward: Callable[[], Any]) -> Any:
        """Return what ``forward`` returns; within :meth:`loss`, its first result again."""
        if self._shared is None:
            return forward()
        if not self._shared:
            self._shared.append(forward())
        return self._shared[0]

    def loss(self, model: Any, window: Sequence[Batch], last: bool) -> Tensor:
        """Return the loss () of an update's newest micro-batch, for the trainer's backward pass.

        Its gradient is that of the whole update if the micro-batch is the last, else nothing.

        Args:
            model: The policy as the trainer wraps it.
            window: The update's micro-batches so far, each with ``rewards`` and
                ``objective_advantages`` (b, M).
            last: Whether the update comes now.
        """
        if self._gradients is None:
            self._select()
        losses = self._losses(model, window[-1])
        regulariser = losses.regulariser if self.exact else None
        rows = len(losses.policy) + (regulariser is not None)
        if self._gradients is None:
            self._gradients = self._none_yet(self.measured, rows)
        head = self._head(losses)
        for row, loss in enumerate(losses.policy):
            self._gradients.add(row, loss, head)
        if regulariser is not None:  # no head: it may be made of more than log-probabilities
            self._gradients.add(rows - 1, regulariser)
        if not last:
            nothing: Gradient = [None] * len(self.everything)
            return deposit(self._total(losses).detach(), nothing, self.everything)
        gradients, self._gradients = self._gradients, None
        gradients.average()
        self._weigh(gradients, window)
        total = self._total(losses)
        if not self.exact:
            return self._through(window[:-1], total)
        weights = [*self.weights.tolist(), 1.0][:rows]
        return deposit(total.detach(), gradients.weighted(weights), self.everything)

    def _through(self, earlier: Sequence[Batch], loss: Tensor) -> Tensor:
        """Return the weighted loss (), its graph kept, with the earlier micro-batches' gradients.

        Their weights were not known when they passed: they pass again.
        """
        if not earlier:
            return loss
        gradients = self._none_yet(self.everything, 1)
        for batch in earlier:
            gradients.add(0, self._total(self._losses(self.trainer.model, batch)))
        return deposit(loss, gradients.rows[0], self.everything)

    def _none_yet(self, parameters: Sequence[Parameter], count: int) -> Gradients:
        return Gradients(self.trainer.model, parameters, count, self.everything)

    def _losses(self, model: Any, batch: Batch) -> Losses:
        advantages = batch["objective_advantages"]  # (b, M)
        logged, self._shared = self.trainer._metrics["train"], []
        regularised: Logged = defaultdict(list)
        by_objective: Logged = defaultdict(list)
        regulariser = None
        try:
            if self._regularised():
                self.trainer._metrics["train"] = regularised
                regulariser = self.loss_of(model, batch | {"advantages": 0.0 * advantages[:, 0]})
            self.trainer._metrics["train"] = by_objective
            with self._without_regularisers():
                policy = [
                    self.loss_of(model, batch | {"advantages": own}) for own in advantages.unbind(1)
                ]
            logps = self._shared[0][0]
        finally:
            self.trainer._metrics["train"], self._shared = logged, None
        for key, values in (regularised | by_objective).items():  # means over the objectives
            logged[key] += values
        return Losses(policy, regulariser, logps)

    def _head(self, losses: Losses) -> TokenHead | None:
        """Return the micro-batch's projection onto the vocabulary, where going by it is right."""
        projection = self.trainer.model.get_output_embeddings()
        own = {id(p) for p in projection.parameters()}
        assert self._gradients is not None
        if self._gradients.sharded or any(id(p) in own for p in self.measured):
            return None
        node = kernel_node(losses.logps)
        return None if node is None else TokenHead(node, losses.policy[0])

    def _regularised(self) -> bool:
        trainer = self.trainer
        return trainer.beta or trainer._entropy_bonus_enabled or trainer.aux_loss_enabled

    @contextmanager
    def _without_regularisers(self) -> Iterator[None]:
        off = {"beta": 0.0, "_entropy_bonus_enabled": False, "aux_loss_enabled": False}
        before = {name: getattr(self.trainer, name) for name in off}
        try:
            vars(self.trainer).update(off)
            yield
        finally:
            vars(self.trainer).update(before)

    def _total(self, losses: Losses) -> Tensor:
        pairs = zip(self.weights.tolist(), losses.policy, strict=True)
        total = torch.stack([weight * loss for weight, loss in pairs]).sum()
        return total if losses.regulariser is None else total + losses.regulariser

    def _weigh(self, gradients: Gradients, window: Sequence[Batch]) -> None:
        """Let the scalarizer weigh the objectives by the whole update's Gramian and losses."""
        count = len(self.scalarizer.objectives)
        self.gramian = gradients.gramian()[:count, :count]
        for name, square in zip(self.scalarizer.objectives, self.gramian.diagonal(), strict=True):
            if not square.isfinite():
                raise CrosstalkError(f"the gradient of objective {name!r} is not finite")
        rewards = torch.cat([batch["rewards"] for batch in window])
        rewards = self.trainer.accelerator.gather(rewards)  # (B, M)
        losses = shortfalls(rewards, self.scalarizer.upper_bounds).cpu()
        self.weights = self.scalarizer.weigh(self.gramian, losses)
        if self.weights.shape != losses.shape or not self.weights.isfinite().all():
            raise CrosstalkError(
                f"{type(self.scalarizer).__name__}.weigh returned {self.weights.tolist()}; "
                f"allowed are {count} finite numbers"
            )

    def metrics(self) -> dict[str, float]:
        """Return the norms and cosines of the objectives' gradients, and the weights in use."""
        names, norms = self.scalarizer.objectives, self.gramian.diagonal().sqrt()
        found = self.scalarizer.by_objective("norm", norms)
        found |= self.scalarizer.by_objective("weight", self.weights)
        cosines = self.gramian / norms[:, None] / norms  # NaN where a gradient is 0
        for one, first in enumerate(names):
            for other in range(one + 1, len(names)):
                if cosines[one, other].isfinite():
                    found[f"cosine/{first}/{names[other]}"] = cosines[one, other].item()
        return found


def _check_supported(trainer: Any) -> None:
    """Refuse what takes gradients out of the trainer's hands, or cannot hold them.

    Raises:
        CrosstalkError: DeepSpeed, fp16, or gradient checkpointing by reentrance.
    """
    arguments = trainer.args
    reentrant = (arguments.gradient_checkpointing_kwargs or {}).get("use_reentrant", False)
    refused = {
        "DeepSpeed": trainer.is_deepspeed_enabled,
        "fp16 (bf16 and fp32 are fine)": arguments.fp16,
        "gradient checkpointing with use_reentrant": arguments.gradient_checkpointing and reentrant,
    }
    for what, used in refused.items():
        if used:
            raise CrosstalkError(f"a gradient scalarizer does not work with {what}")
