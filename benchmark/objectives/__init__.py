"""The objectives: rewards for completions, one a file.

To add one, write a file with a subclass of :class:`Objective` and name it in ``OBJECTIVES``.
"""

from collections.abc import Iterable

from benchmark.errors import CrosstalkError, unknown
from benchmark.objectives.accuracy import Accuracy
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.clarity import Clarity
from benchmark.objectives.conciseness import Conciseness

__all__ = [
    "OBJECTIVES",
    "OBJECTIVE_SETS",
    "Completion",
    "Objective",
    "completion_text",
    "make_objectives",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "accuracy": Accuracy,
    "clarity": Clarity,
    "conciseness": Conciseness,
}

OBJECTIVE_SETS: dict[str, tuple[str, ...]] = {
    "math3": ("accuracy", "conciseness", "clarity"),
    "accuracy-conciseness": ("accuracy", "conciseness"),
    "accuracy-clarity": ("accuracy", "clarity"),
}


def make_objectives(names: Iterable[str]) -> list[Objective]:
    """Return fresh objectives of these names, in this order.

    Raises:
        CrosstalkError: A name is unknown or given twice.
    """
    objectives: dict[str, Objective] = {}
    for name in names:
        if name not in OBJECTIVES:
            raise unknown("objective", name, OBJECTIVES)
        if name in objectives:
            raise CrosstalkError(f"objective {name!r} is given twice; each may be given once")
        objectives[name] = OBJECTIVES[name]()
    return list(objectives.values())
