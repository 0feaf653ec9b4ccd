"""Weigh the objectives by their gradients: one forward pass, one backward pass per objective.

Of each micro-batch the trainer gives its loss by each objective, all on one forward pass, and that
of the regularisers alone. After an update's last micro-batch the Gramian of the objectives'
gradients gives the weights, and the gradient of the loss handed back is the weighted sum of the
gradients plus that of the regularisers. Clipping, accumulating and stepping stay the trainer's.

For a scalarizer that compares two batches (``halves``) there are two losses per objective, one over
the prompts of even number and one over the others; each objective's gradient is the sum of the two.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from transformers import PreTrainedModel, TrainingArguments

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
from benchmark.scalarizers import calls
from benchmark.scalarizers.base import GradientScalarizer
from benchmark.scalarizers.shortfalls import shortfalls


class Losses(NamedTuple):
    """A micro-batch's losses on one forward pass."""

    policy: list[Tensor]  # () each, one an objective; or one half's, then the other's
    regulariser: Tensor | None  # (), if there are regularisers
    logps: Tensor  # (b, T) of the forward pass


class GradientPath:
    """Turns the micro-batches of an update into losses whose gradients a scalarizer has weighed.

    For each micro-batch: :meth:`begin` before its forward pass, then :meth:`add`, then
    :meth:`postponed`; for the last one :meth:`weigh` and :meth:`loss` in place of the latter.

    Args:
        policy: The model, not wrapped for data parallelism.
        scalarizer: Weighs the objectives.
        which: The parameters that the Gramian is computed on: ``all``, ``lora``, or a regular
            expression that is searched for in their names. On a part of them a micro-batch costs
            one backward pass more, through the whole model, and the objectives' passes end at the
            part.

    Attributes:
        weights: (M,) of the latest update.
        gramian: (M, M) of the latest update.
    """

    def __init__(self, policy: PreTrainedModel, scalarizer: GradientScalarizer, which: str) -> None:
        self.scalarizer = scalarizer
        self.parts = 2 if scalarizer.halves else 1
        self.which = which
        self.weights = scalarizer.weights
        self.gramian = torch.zeros(len(self.weights), len(self.weights), dtype=torch.float64)
        self._sums: Gradients | None = None  # of the update under way
        self._select(policy)

    def _select(self, policy: PreTrainedModel) -> None:
        """Take the model's parameters as they are now: sharding replaces them."""
        reshard(policy)
        self.policy = policy
        self.everything = select_parameters(policy, ALL)
        self.measured = select_parameters(policy, self.which)

    @property
    def exact(self) -> bool:
        """Whether the Gramian is of all that is trained."""
        return len(self.measured) == len(self.everything)

    def advantages(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the advantages (b,) of each of a micro-batch's losses, 0 outside of its half."""
        own = batch["objective_advantages"]  # (b, M)
        if self.parts == 1:
            return list(own.unbind(1))
        odd = (batch["groups"] % 2 == 1)[:, None]  # whole prompts, whatever the micro-batches
        return [*own.masked_fill(odd, 0.0).unbind(1), *own.masked_fill(~odd, 0.0).unbind(1)]

    def begin(self, policy: PreTrainedModel) -> None:
        """Prepare for a micro-batch's forward pass."""
        if self._sums is None:
            self._select(policy)

    def add(self, losses: Losses) -> None:
        """Add the gradients of a micro-batch to those of the update under way."""
        regulariser = losses.regulariser if self.exact else None
        rows = len(losses.policy) + (regulariser is not None)
        if self._sums is None:
            self._sums = self._none_yet(self.measured, rows)
        head = self._head(losses, self._sums)
        for row, loss in enumerate(losses.policy):
            self._sums.add(row, loss, head)
        if regulariser is not None:  # no head: it may be made of more than log-probabilities
            self._sums.add(rows - 1, regulariser)

    def postponed(self, losses: Losses) -> Tensor:
        """Return a micro-batch's loss () without gradient: the update's last one brings it."""
        nothing: Gradient = [None] * len(self.everything)
        return deposit(self._total(losses).detach(), nothing, self.everything)

    def weigh(self, rewards: Tensor) -> None:
        """Let the scalarizer weigh the objectives by the update's gradients and rewards (B, M)."""
        assert self._sums is not None
        self._sums.average()
        names, parts = self.scalarizer.objectives, self.parts
        rows = parts * len(names)  # without the regularisers'
        products = self._sums.gramian()[:rows, :rows].reshape(parts, len(names), parts, -1)
        self.gramian = products.sum(dim=(0, 2))
        for name, square in zip(names, self.gramian.diagonal(), strict=True):
            if not square.isfinite():
                raise CrosstalkError(f"the gradient of objective {name!r} is not finite")
        losses = shortfalls(rewards, self.scalarizer.upper_bounds).cpu()
        seen = self.gramian if parts == 1 else 4 * products[0, :, 1]  # each half twice
        self.weights = calls.weigh(self.scalarizer, seen, losses)

    def loss(self, losses: Losses, earlier: Iterable[Losses]) -> Tensor:
        """Return the loss () of the last micro-batch, whose gradient is the whole update's.

        ``earlier`` passes the other micro-batches through the policy again, one at a time. Only a
        Gramian of a part of the parameters needs them: their weights were not known before.
        """
        assert self._sums is not None
        sums, self._sums = self._sums, None
        total = self._total(losses)
        if self.exact:
            weights = [*self.weights.tolist() * self.parts, 1.0][: len(sums.rows)]
            return deposit(total.detach(), sums.weighted(weights), self.everything)
        again = self._none_yet(self.everything, 1)
        for each in earlier:
            again.add(0, self._total(each))
        return deposit(total, again.rows[0], self.everything)

    def _none_yet(self, parameters: Sequence[Parameter], count: int) -> Gradients:
        return Gradients(self.policy, parameters, count, self.everything)

    def _head(self, losses: Losses, sums: Gradients) -> TokenHead | None:
        """Return the micro-batch's projection onto the vocabulary, where going by it is right."""
        projection = self.policy.get_output_embeddings()
        own = {id(p) for p in projection.parameters()}
        if sums.sharded or any(id(p) in own for p in self.measured):
            return None
        node = kernel_node(losses.logps)
        return None if node is None else TokenHead(node, losses.policy[0])

    def _total(self, losses: Losses) -> Tensor:
        pairs = zip(self.weights.tolist() * self.parts, losses.policy, strict=True)
        total = torch.stack([weight * loss for weight, loss in pairs]).sum()
        return total if losses.regulariser is None else total + losses.regulariser

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


def check_supported(arguments: TrainingArguments, deepspeed: bool) -> None:
    """Refuse settings that take gradients out of the trainer's hands, or cannot hold them."""
    reentrant = (arguments.gradient_checkpointing_kwargs or {}).get("use_reentrant", False)
    refused = {
        "DeepSpeed": deepspeed,
        "fp16 (bf16 and fp32 are fine)": arguments.fp16,
        "gradient checkpointing with use_reentrant": arguments.gradient_checkpointing and reentrant,
    }
    for what, used in refused.items():
        if used:
            raise CrosstalkError(f"a gradient scalarizer does not work with {what}")
