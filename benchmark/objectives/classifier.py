"""``classifier``: the probability of one class that a classifier gives a completion."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.common.parameters import refuse
from benchmark.objectives.base import Completion, completion_text
from benchmark.objectives.reward_model import RewardModel
from benchmark.objectives.scorer import Ids, Scorer

if TYPE_CHECKING:
    from torch import Tensor


class Classifier(RewardModel):
    r"""The probability of a class by a sequence-classification model, for the completion alone.

    .. math:: r(y) = \frac{\exp f_\phi(y)_k}{\sum_j \exp f_\phi(y)_j}

    where:

    - :math:`y` is the completion, by itself: classifiers of toxicity or grammar judge a text and
      not a conversation, so neither the question nor a chat template is there;
    - :math:`f_\phi` is the model (``model``), in evaluation mode and without gradient, and j runs
      over its outputs;
    - :math:`k` is the class (``label``).

    Such rewards train detoxification in public code: the probability that a text is neutral beside
    the one that it is acceptable. All else is as with ``reward_model``.

    Args:
        model: The folder of the model; in a study file, its id in ``models.yaml``.
        label: :math:`k`, the class, by its name or index.
        device: ``auto`` for a GPU if there is one, like the policy, or ``cpu``.
        dtype: The type of its weights, ``float32``, ``bfloat16`` or ``float16``.
        batch_size: Texts scored at a time.
        trust_remote_code: Whether Python in the folder is run. ``models.yaml`` has to trust it,
            too: it is not in a prepared folder otherwise.
    """

    name = "classifier"

    def __init__(
        self,
        model: str,
        label: str | int,
        *,
        device: str = "auto",
        dtype: str = "float32",
        batch_size: int = 16,
        trust_remote_code: bool = False,
    ) -> None:
        if label is None:
            refuse("label", "a class's name or index", label)
        super().__init__(
            model,
            label=label,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            trust_remote_code=trust_remote_code,
        )

    def _column(self, labels: Mapping[int, str]) -> int:
        if len(labels) < 2:
            refuse("label", f"a model of two or more classes in {self.folder}", len(labels))
        return super()._column(labels)

    def _encoded(
        self, scorer: Scorer, questions: Sequence[Completion], completions: Sequence[Completion]
    ) -> list[Ids]:
        return scorer.encode_alone([completion_text(completion) for completion in completions])

    def _scores(self, logits: "Tensor", column: int) -> "Tensor":
        return logits.softmax(dim=1)[:, column]
