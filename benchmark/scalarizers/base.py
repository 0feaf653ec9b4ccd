"""The base classes of scalarizers: rules that make one training signal of several objectives.

A method subclasses :class:`ScoreScalarizer`, :class:`AdvantageScalarizer` or
:class:`GradientScalarizer`, depending on where it joins the objectives, and defines that class's
one abstract method. The trainer calls it once per batch in training and never in evaluation, so
state may follow the batches.

A reward of NaN says that the objective does not apply to the completion. It contributes nothing,
and running statistics leave it out. A completion to which no objective applies has the score NaN.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import choice, refuse
from benchmark.scalarizers.vectors import simplex


class Signal(Enum):
    """What a scalarizer may ask the trainer to compute for it (``Scalarizer.requires``)."""

    COMPLETION_WEIGHTS = "completion_weights"
    GRAMIAN = "gramian"
    LOSSES = "losses"
    VALIDATION = "validation"


@dataclass(frozen=True)
class Feedback:
    """What the policy's update did, gathered over all processes; None where it was not asked for.

    It is of one optimizer step, or of all steps that were made from a rollout, with each completion
    once (``Scalarizer.update_every``). Shapes: B completions, M objectives. ``groups`` holds the
    prompt of each completion.
    """

    rewards: Tensor  # (B, M)
    groups: Tensor  # (B,)
    completion_weights: Tensor | None = None  # (B,) under the updated policy
    gramian: Tensor | None = None  # (M, M) of the per-objective policy gradients
    losses_before: Tensor | None = None  # (M,)
    losses_after: Tensor | None = None  # (M,)
    validation: Tensor | None = None  # (M,) latest validation objective values


ROLLOUT, STEP = "rollout", "step"  # what a scalarizer updates after


class Scalarizer:
    """The base of every method.

    Attributes:
        requires: What the trainer must compute for it; nothing else is computed.
        update_every: Whether :meth:`update` follows each ``"rollout"``, after the last optimizer
            step made from it, or each optimizer ``"step"``, which differ where a rollout is split
            into minibatches or used several times. The class says what its source does; studies
            and :func:`~benchmark.scalarizers.make_scalarizer` may say otherwise. Scores and
            advantages are made once a rollout, so that what is learnt acts on the next one. A
            Gramian is of one step: what requires it updates after each.
        estimators: The advantage estimators it makes sense with; None for all of them.
        reference: Whether its runs are references (one objective alone), outside the ranking.
        source: Where the method comes from, in one line.
        objectives: The objectives' names; the order of all (M,) axes.
        weights: The preference weights (M,), on the simplex.
        upper_bounds: What each objective's mean reward can at most be (M,); its loss is how far
            that mean falls short of it. 1 unless the method's constructor is told otherwise.
        state: What changes in training, by name. Subclasses put tensors here in their constructor;
            checkpoints hold it. It changes in :meth:`update`, apart from statistics of the batch
            being scalarized.

    Args:
        objectives: The objectives' names, distinct.
        weights: One preference per objective, normalised to sum 1; equal if None.

    Raises:
        CrosstalkError: Names repeat; the weights do not match them, are negative or not finite, or
            sum to 0; or one of the method's own parameters is outside its range.
    """

    requires: ClassVar[frozenset[Signal]] = frozenset()
    update_every: str = ROLLOUT
    estimators: ClassVar[frozenset[str] | None] = None
    reference: ClassVar[bool] = False
    source: ClassVar[str] = ""

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        self.objectives = tuple(objectives)
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            refuse("objectives", "one or more distinct names", list(objectives))
        equal = [1.0] * len(self.objectives)
        self.weights = simplex(equal if weights is None else weights, self.objectives)
        self.upper_bounds = torch.ones_like(self.weights)
        self.state: dict[str, Tensor] = {}

    @classmethod
    def check_estimator(cls, estimator: str) -> None:
        """Refuse an advantage estimator that the method makes no sense with."""
        if cls.estimators is not None and estimator not in cls.estimators:
            raise CrosstalkError(
                f"estimator: expected {' or '.join(sorted(cls.estimators))} with {cls.__name__}, "
                f"got {estimator!r}"
            )

    def check_update_every(self) -> None:
        """Refuse an ``update_every`` that does not exist, or that the method cannot do."""
        choice("update_every", self.update_every, (ROLLOUT, STEP))
        if self.update_every == ROLLOUT and Signal.GRAMIAN in self.requires:
            raise CrosstalkError(
                f"update_every: expected {STEP} with {type(self).__name__}, whose Gramian is of "
                f"one optimizer step, got {ROLLOUT!r}"
            )

    def update(self, feedback: Feedback) -> None:
        """Adapt to what the policy's update did. The default does nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the state: CPU tensors that ``torch.load(weights_only=True)`` reads."""
        return {name: value.detach().cpu().clone() for name, value in self.state.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned.

        Raises:
            ValueError: The entries or their shapes are not this scalarizer's; its state is then
                unchanged.
        """
        expected = {name: tuple(value.shape) for name, value in self.state.items()}
        found = _shapes(state)
        if found != expected:
            raise ValueError(
                f"state of {type(self).__name__}: expected {expected} (name: shape), got {found}"
            )
        self.state = {name: state[name].to(value, copy=True) for name, value in self.state.items()}

    def metrics(self) -> dict[str, float]:
        """Return what to track, keyed ``"<quantity>/<objective>"``."""
        return self.by_objective("weight", self.weights)

    def by_objective(self, quantity: str, values: Tensor) -> dict[str, float]:
        """Key the finite ones of ``values`` (M,) by ``quantity`` and objective."""
        pairs = zip(self.objectives, values.tolist(), strict=True)
        return {f"{quantity}/{name}": value for name, value in pairs if math.isfinite(value)}


class ScoreScalarizer(Scalarizer, ABC):
    """Joins rewards into one score per completion, of which the estimator makes advantages."""

    @abstractmethod
    def score(self, rewards: Tensor) -> Tensor:
        """Return one score per completion (B,) from the rewards (B, M)."""


class AdvantageScalarizer(Scalarizer, ABC):
    """Joins per-objective advantages into one advantage per completion."""

    @abstractmethod
    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        """Return one advantage per completion (B,).

        Args:
            advantages: The advantages under each objective alone (B, M).
            rewards: The rewards (B, M) they come from.
            groups: The prompt of each completion (B,).
        """


class GradientScalarizer(Scalarizer, ABC):
    """Weighs the objectives by how their policy gradients relate.

    The update is along the weighted sum of the gradients, regularisers apart.

    Attributes:
        halves: Whether :meth:`weigh` gets, in the Gramian's place, the inner products (M, M) of the
            gradients of two independent batches: row j is objective j's gradient over half of the
            update's prompts, column l objective l's over the other half, each doubled as that of a
            batch of its own. They cost twice the backward passes; ``Feedback`` has the Gramian.
    """

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.GRAMIAN})
    update_every: str = STEP
    halves: bool = False

    @abstractmethod
    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        """Return the objectives' weights (M,), of any sign and sum.

        Args:
            gramian: Inner products of the gradients of the objectives' policy losses (M, M), over
                the whole batch of the update; finite, in double precision on the CPU. A row is 0
                where an objective tells no completion from another.
            losses: How far each objective's mean reward falls short of its upper bound (M,), as
                :func:`~benchmark.scalarizers.shortfalls.shortfalls` has it; NaN where the
                objective applies to no completion. On the device and in the precision of
                ``gramian``.
        """


def weighted_sum(rewards: Tensor, weights: Tensor) -> Tensor:
    """Return R w (B,) of R (B, M) and w (M,); NaN rewards add nothing, rows of NaN give NaN."""
    total = (rewards * weights.to(rewards)).nansum(dim=1)
    return total.masked_fill(rewards.isnan().all(dim=1), torch.nan)


def _shapes(state: object) -> object:
    """Describe a state by name and shape, or by type where it is no state."""
    if not isinstance(state, Mapping):
        return type(state).__name__
    return {
        name: tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        for name, value in state.items()
    }
