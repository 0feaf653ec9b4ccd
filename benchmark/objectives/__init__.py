"""The objectives: rewards for completions, one a file.

To add one, write a file with a subclass of :class:`Objective` and name it in ``OBJECTIVES``. One
that is kept outside is named ``module:Class``, or by an entry point of ``crosstalk.objectives``.

    >>> short = make_objective("short", "length_penalty", {"target": 2, "limit": 4})
    >>> short(completions=["a b c"], completion_ids=[[1, 2, 3]])
    [0.5]
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from benchmark.common.errors import CrosstalkError, Faulty, blaming, check_parameter_names
from benchmark.common.parameters import refuse
from benchmark.common.plugins import Plugins
from benchmark.objectives.accuracy import Accuracy
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.calibrated import Calibrated
from benchmark.objectives.clarity import Clarity
from benchmark.objectives.classifier import Classifier
from benchmark.objectives.conciseness import Conciseness
from benchmark.objectives.conditioned import Conditioned
from benchmark.objectives.cosine_length import CosineLength
from benchmark.objectives.countdown import Countdown
from benchmark.objectives.format import Format
from benchmark.objectives.length_penalty import LengthPenalty
from benchmark.objectives.repetition import Repetition
from benchmark.objectives.reward_model import RewardModel
from benchmark.objectives.rouge import Rouge
from benchmark.objectives.script import Script
from benchmark.objectives.tag_count import TagCount
from benchmark.objectives.target_length import TargetLength
from benchmark.objectives.think_format import ThinkFormat
from benchmark.objectives.tool_call import ToolCall
from benchmark.objectives.tool_format import ToolFormat

__all__ = [
    "OBJECTIVES",
    "OBJECTIVE_SETS",
    "PLUGINS",
    "Completion",
    "Objective",
    "completion_text",
    "make_objective",
    "make_objectives",
    "objective_class",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "accuracy": Accuracy,
    "clarity": Clarity,
    "conciseness": Conciseness,
    "format": Format,
    "length_penalty": LengthPenalty,
    "target_length": TargetLength,
    "cosine_length": CosineLength,
    "repetition": Repetition,
    "think_format": ThinkFormat,
    "tag_count": TagCount,
    "script": Script,
    "tool_call": ToolCall,
    "tool_format": ToolFormat,
    "reward_model": RewardModel,
    "classifier": Classifier,
    "conditioned": Conditioned,
    "calibrated": Calibrated,
    "countdown": Countdown,
    "rouge": Rouge,
}

PLUGINS = Plugins("objective", "crosstalk.objectives", (Objective,))

OBJECTIVE_SETS: dict[str, tuple[str, ...]] = {
    "math3": ("accuracy", "conciseness", "clarity"),
    "accuracy-conciseness": ("accuracy", "conciseness"),
    "accuracy-clarity": ("accuracy", "clarity"),
    "accuracy-format": ("accuracy", "format"),
    "conciseness-clarity": ("conciseness", "clarity"),
    "math4": ("accuracy", "conciseness", "clarity", "format"),
}


def make_objectives(names: Iterable[str]) -> list[Objective]:
    """Return fresh objectives of these names, without parameters, in this order.

    Raises:
        CrosstalkError: A name is unknown or given twice, or its objective needs parameters.
    """
    objectives: dict[str, Objective] = {}
    for name in names:
        if name in objectives:
            raise CrosstalkError(f"objective {name!r} is given twice; each may be given once")
        objectives[name] = make_objective(name)
    return list(objectives.values())


def objective_class(name: str) -> type[Objective]:
    """Return the class of a key of :data:`OBJECTIVES`, an entry point, or ``module:Class``.

    Raises:
        CrosstalkError: The name is unknown, cannot be imported, or is not an objective.
    """
    return PLUGINS.find(name, OBJECTIVES)


def make_objective(
    name: str, objective: str | None = None, parameters: Mapping[str, Any] | None = None
) -> Objective:
    """Return a fresh objective.

    Args:
        name: What it is called.
        objective: What :func:`objective_class` takes; ``name`` if None.
        parameters: Its parameters, by the names in its constructor. One that is an objective may
            be given by its registry name, or as a mapping of ``objective`` and its parameters.

    Raises:
        CrosstalkError: There is no such objective or parameter, one is missing, or a value is
            refused.
    """
    kind = name if objective is None else objective
    cls = objective_class(kind)
    given = dict(parameters or {})
    own = list(inspect.signature(cls).parameters.values())
    check_parameter_names(own, given, f"objective {kind!r}")
    try:
        given |= {key: _part(key, given[key]) for key in part_names(kind) & given.keys()}
        with blaming(f"objective {kind!r}"):
            made = cls(**given)
    except Faulty:
        raise
    except CrosstalkError as error:
        raise CrosstalkError(f"objective {kind!r}: {error}") from error
    made.name = name
    return made


def part_names(kind: str) -> frozenset[str]:
    """Return which parameters of an objective are objectives themselves."""
    named: frozenset[str] = getattr(OBJECTIVES.get(kind), "objective_parameters", frozenset())
    return named


def _part(key: str, given: object) -> object:
    """Return an objective that another one is made from."""
    if isinstance(given, Objective):
        return given
    if isinstance(given, str):
        return make_objective(given)
    if not isinstance(given, Mapping) or not isinstance(given.get("objective"), str):
        refuse(key, "an objective's id, or a mapping of objective and its parameters", given)
    own = {name: value for name, value in given.items() if name != "objective"}
    return make_objective(given["objective"], parameters=own)
