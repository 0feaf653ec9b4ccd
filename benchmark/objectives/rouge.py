"""``rouge``: how much of a reference text's wording a completion has, in its order."""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import flag
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.columns import answers_in

PACKAGE, VERSION = "rouge-score", "0.1.2"
KIND = "rougeL"


class Rouge(Objective):
    r"""ROUGE-L: the F-measure of the longest common subsequence of words with the reference's.

    .. math::
        r(y) = \frac{2 P R}{P + R}, \qquad P = \frac{L(y, y^*)}{|y|}, \quad
        R = \frac{L(y, y^*)}{|y^*|}

    where:

    - :math:`y` are the words of the completion, :math:`y^*` those of the reference, the dataset
      column ``answer``, and :math:`L` is the length of their longest common subsequence;
    - r is 0 where nothing is in common.

    The measure of `ROUGE: A Package for Automatic Evaluation of Summaries
    <https://aclanthology.org/W04-1013/>`_, as the package ``rouge-score`` (0.1.2, the extra
    ``rouge``) has it: words are runs of the letters a to z and digits, without case. Other scripts
    have none, so their texts score 0.

    Args:
        stemming: Whether words of more than three letters count by their stems (Porter's).
    """

    name = "rouge"

    def __init__(self, stemming: bool = True) -> None:
        self.stemming = flag("stemming", stemming)

    @classmethod
    def check_installed(cls) -> None:
        """Refuse another version of the package than the tested one, and none, without loading it.

        Raises:
            CrosstalkError: It is not installed.
        """
        try:
            found = version(PACKAGE)
        except PackageNotFoundError:
            found = "none"
        if found != VERSION:
            raise CrosstalkError(
                f"objective {cls.name!r}: expected the package {PACKAGE} {VERSION}, got {found}: "
                "run `pip install 'crosstalk-bench[rouge]'`"
            )

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        answers = answers_in(columns, self)
        self.check_installed()
        texts = map(completion_text, completions)
        pairs = list(zip(answers, texts, strict=True))
        measure = _measure(self.stemming)
        known = {pair: measure(*pair) for pair in dict.fromkeys(pairs)}
        return [known[pair] for pair in pairs]


def _measure(stemming: bool) -> Callable[[str, str], float]:
    """Return the function of reference and text; the package loads NLTK, so only where used."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([KIND], use_stemmer=stemming)
    return lambda reference, text: float(scorer.score(reference, text)[KIND].fmeasure)
