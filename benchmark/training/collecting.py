"""Keep the micro-batches trained on until their optimizer step, or their rollout, is over."""

from benchmark.scalarizers.base import STEP
from benchmark.training.update import Batch


class Collected:
    """The micro-batches of the optimizer step and of the rollout under way.

    A rollout is split into ``slices`` micro-batches, which are trained on in ``passes`` passes, one
    after the other; steps take any number of them.

    Args:
        slices: The micro-batches that a rollout is split into.
        passes: How often each is trained on.

    Attributes:
        step: The micro-batches of the optimizer step under way.
    """

    def __init__(self, slices: int, passes: int) -> None:
        self.step: list[Batch] = []
        self._slices, self._uses = slices, slices * passes
        self._count = 0  # micro-batches trained on so far
        self._rollout: dict[tuple[int, int], Batch] = {}  # by the rollout's number and theirs

    def add(self, batch: Batch) -> None:
        """Keep the micro-batch just trained on; of a slice's passes the last one is kept."""
        self.step.append(batch)
        self._rollout[self._count // self._uses, self._count % self._slices] = batch
        self._count += 1

    def end_step(self, update_every: str) -> tuple[list[Batch], list[Batch] | None]:
        """Return the micro-batches of the step, and those that a scalarizer is now told of.

        Told of are those of the step or, once its last one is used up, of the rollout (of several
        where a step takes more than one), each once; None before that. They are the first list
        itself where both hold the same.
        """
        step, self.step = self.step, []
        whole = None
        if self._count % self._uses == 0:
            whole, self._rollout = list(self._rollout.values()), {}
        same = whole is not None and list(map(id, whole)) == list(map(id, step))
        return step, step if update_every == STEP or same else whole
