"""``accuracy``: the boxed answer is right."""

import re
from collections.abc import Sequence
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.boxed import last_boxed
from benchmark.objectives.verifier import all_equivalent

# A box is mathematics already; its text could use "$" to hold several answers of which one counts.
_DOLLAR = re.compile(r"(?<!\\)\$")
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)


class Accuracy(Objective):
    r"""1 if the last ``\boxed{…}`` is equivalent to the reference answer, else 0.

    The accuracy of `Uncovering Cross-Objective Interference in Multi-Objective Alignment
    <https://arxiv.org/abs/2602.06869>`_:

    .. math:: r(y) = 1[\,\mathrm{box}(y) \equiv a\,]

    where:

    - :math:`\mathrm{box}(y)` is the content of the last closed box of completion y;
    - :math:`a` is the reference answer (the dataset column ``answer``);
    - :math:`\equiv` holds for equal texts and equal whole numbers, and otherwise as `math-verify
      <https://github.com/huggingface/Math-Verify>`_ decides. What it cannot judge within its limits
      (see :mod:`benchmark.objectives.verifier`) does not count as equivalent.
    """

    name = "accuracy"

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        if "answer" not in columns:
            raise CrosstalkError(
                f"objective {self.name!r}: expected the dataset column 'answer', "
                f"got {', '.join(sorted(columns)) or 'none'}"
            )
        pairs = [
            (_plain(answer), _plain(last_boxed(completion_text(completion)) or ""))
            for completion, answer in zip(completions, columns["answer"], strict=True)
        ]
        plain = [_plainly_right(*pair) for pair in pairs]
        judged = all_equivalent(p for p, known in zip(pairs, plain, strict=True) if known is None)
        decided = zip(pairs, plain, strict=True)
        return [float(judged[pair] if known is None else known) for pair, known in decided]


def _plainly_right(expected: str, found: str) -> bool | None:
    """Return whether an answer is right where that needs no verifier, else None."""
    if not found or found == expected:
        return bool(found)
    if _INTEGER.fullmatch(found) and _INTEGER.fullmatch(expected):
        return int(found) == int(expected)
    return None


def _plain(latex: str) -> str:
    return " ".join(_DOLLAR.sub("", latex).split())
