"""``countdown``: the boxed expression makes the target from the numbers, each used once."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from benchmark.common.parameters import refuse
from benchmark.objectives.answers.extraction import boxed_answer
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.columns import answers_in
from benchmark.objectives.expressions import Malformed, parse, spelled
from benchmark.tasks.countdown import ARROW


class Countdown(Objective):
    r"""1 if the last ``\boxed{…}`` makes the target from the given numbers, each used once, else 0.

    .. math:: r(y) = 1[\,\mathrm{numbers}(e) = N \;\wedge\; \mathrm{value}(e) = t\,]

    where:

    - :math:`e` is the expression in the completion's box, found as ``accuracy`` finds it;
    - :math:`N` is the multiset of the problem's numbers and :math:`t` its target (the dataset
      column ``answer``: ``3 12 7 -> 43``);
    - value is exact, in fractions; what divides by 0 has none.

    An expression has whole numbers, ``+``, ``-``, ``*``, ``/`` between two terms (also as LaTeX or
    Unicode write them) and parentheses. One ``=`` may stand between it and the target. Signs in
    front of a number, products without a sign, powers and all else are malformed and score 0, and
    so is what is longer than 200 characters or nested deeper than 20 parentheses. Nothing is ever
    evaluated as code. The task and its rule are those of TinyZero and others; the grammar is ours.
    """

    name = "countdown"

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        answers = answers_in(columns, self)
        boxes = [boxed_answer(completion_text(completion)) for completion in completions]
        return [
            float(box is not None and solves(box, *self._asked(answer)))
            for box, answer in zip(boxes, answers, strict=True)
        ]

    def _asked(self, answer: object) -> tuple[tuple[int, ...], int]:
        """Return the numbers and the target that an answer column holds."""
        given, arrow, target = str(answer).partition(ARROW)
        words = [*given.split(), target]
        if not arrow or len(words) < 2 or not all(w.isascii() and w.isdigit() for w in words):
            expected = f"numbers and a target, 3 12 7{ARROW}43"
            refuse(f"objective {self.name!r}: column 'answer'", expected, answer)
        return tuple(map(int, words[:-1])), int(target)


def solves(text: str, numbers: Sequence[int], target: int) -> bool:
    """Return whether a text is an expression of all the numbers that comes to the target."""
    sides = spelled(text).split("=")
    if len(sides) == 2:
        told = [side for side in sides if side.strip() == str(target)]
        if not told:
            return False
        sides.remove(told[0])
    if len(sides) != 1:
        return False
    try:
        found = parse(sides[0])
    except Malformed:
        return False
    return Counter(found.numbers) == Counter(numbers) and found.value == Fraction(target)
