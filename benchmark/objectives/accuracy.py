"""``accuracy``: the boxed answer is right."""

from collections.abc import Sequence
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.answers.extraction import boxed_answer
from benchmark.objectives.answers.verdicts import questions, right
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.verifier import all_equivalent


class Accuracy(Objective):
    r"""1 if the last ``\boxed{…}`` is equivalent to the reference answer, else 0.

    The accuracy of `Uncovering Cross-Objective Interference in Multi-Objective Alignment
    <https://arxiv.org/abs/2602.06869>`_:

    .. math:: r(y) = 1[\,\mathrm{box}(y) \equiv a\,]

    where:

    - :math:`\mathrm{box}(y)` is the answer of completion y, as
      :func:`~benchmark.objectives.answers.extraction.boxed_answer` finds it: its last box;
    - :math:`a` is the reference answer (the dataset column ``answer``);
    - :math:`\equiv` holds for the same structure of equal parts
      (:mod:`benchmark.objectives.answers.verdicts`): exact numbers, and expressions that agree to
      fifty digits and are equal by exact algebra or, last, as `math-verify
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
            (answer, boxed_answer(completion_text(completion)) or "")
            for completion, answer in zip(completions, columns["answer"], strict=True)
        ]
        open_questions = {pair: questions(*pair) for pair in dict.fromkeys(pairs)}
        asked = {question for some in open_questions.values() for question in some or ()}
        judged = all_equivalent(asked)
        verdicts = {
            pair: some is not None and right(*pair, judged.__getitem__)
            for pair, some in open_questions.items()
        }
        return [float(verdicts[pair]) for pair in pairs]
