"""``tool_call``: how far the calls of tools in a completion are those of the reference."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmark.common.parameters import flag
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.columns import answers_in

OPEN, CLOSE = "<tool_call>", "</tool_call>"
LONGEST = 20_000  # characters of a block of calls
DEEPEST = 40  # brackets inside one another


class Call(NamedTuple):
    """A call of a tool."""

    name: str
    parameters: Mapping[str, Any]


class ToolCall(Objective):
    r"""The share of the reference's calls, their names, parameters and values, that are made.

    .. math::
        r(y) = \frac{J(N_y, N^*) + \sum_{c \in C^*} \max_{d}
        \left[J(P_d, P_c) + |\{p : v_d(p) = v_c(p)\}|\right]}{1 + \sum_{c \in C^*} (1 + |P_c|)}

    where:

    - :math:`C^*` are the calls of the reference, and :math:`N^*, N_y` the names of its calls and of
      the completion's, with repeats;
    - :math:`P_c` are the names of a call's parameters and :math:`v_c` their values; d runs over the
      completion's calls of the same name that no earlier c has taken;
    - :math:`J` is the Jaccard index of two multisets, 1 where they are equal.

    The correctness reward of `ToolRL: Reward is All Tool Learning Needs
    <https://arxiv.org/abs/2504.13958>`_ as released, from -3 to 3 there and from 0 to 1 here
    (``original`` has it as there). Calls stand in the last ``<tool_call>`` block, a JSON object of
    ``name`` and ``parameters`` on each line; the reference is the dataset column ``answer``,
    written the same way. Calls that equal the reference's, in its order, score the most; a block
    that cannot be read, or none, the least.

    It does not apply where the reference calls nothing; the released code gives 0 there, the middle
    of its range.

    Args:
        original: Whether rewards lie in [-3, 3].
    """

    name = "tool_call"

    def __init__(self, original: bool = False) -> None:
        self.original = flag("original", original)
        self.upper_bound = 3.0 if self.original else 1.0

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float | None]:
        answers = answers_in(columns, self)
        texts = map(completion_text, completions)
        return [self._reward(*pair) for pair in zip(texts, answers, strict=True)]

    def _reward(self, text: str, answer: str) -> float | None:
        if OPEN not in answer:
            return None
        made = calls_in(text)
        share = 0.0 if made is None else agreement(calls_in(answer) or [], made)
        return 6.0 * share - 3.0 if self.original else share


def calls_in(text: str) -> list[Call] | None:
    """Return the calls in the last block of a text; None if there is none or it is not readable."""
    _, opened, rest = text.rpartition(OPEN)
    block, closed, _ = rest.partition(CLOSE)
    if not opened or not closed or len(block) > LONGEST:
        return None
    lines = [line for line in block.splitlines() if line.strip()]
    found = [_call(line) for line in lines]
    return [call for call in found if call is not None] if None not in found else None


def _call(line: str) -> Call | None:
    if line.count("{") + line.count("[") > DEEPEST:  # a bound of depth, cheap and never too low
        return None
    try:
        given = json.loads(line)
    except ValueError:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        return None
    parameters = given.get("parameters", {})
    return Call(given["name"], parameters) if isinstance(parameters, dict) else None


def agreement(reference: Sequence[Call], made: Sequence[Call]) -> float:
    """Return how far calls agree with the reference's, in [0, 1]."""
    if list(reference) == list(made):
        return 1.0
    score = _jaccard((call.name for call in reference), (call.name for call in made))
    left = list(made)
    for call in reference:
        same = [other for other in left if other.name == call.name]
        if same:
            best = max(same, key=lambda other: _likeness(call, other))
            score += _likeness(call, best)
            left.remove(best)
    return score / (1.0 + sum(1.0 + len(call.parameters) for call in reference))


def _likeness(call: Call, other: Call) -> float:
    equal = sum(
        name in other.parameters and other.parameters[name] == value
        for name, value in call.parameters.items()
    )
    return _jaccard(call.parameters, other.parameters) + equal


def _jaccard(first: Iterable[str], second: Iterable[str]) -> float:
    one, other = Counter(list(first)), Counter(list(second))
    union = (one | other).total()
    return (one & other).total() / union if union else 1.0
