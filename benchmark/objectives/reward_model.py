"""``reward_model``: the score that a sequence-classification model gives a completion."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.parameters import choice, flag, integer, refuse
from benchmark.models.policy.loading import check_model_folder
from benchmark.objectives.base import Completion, Objective, completion_text
from benchmark.objectives.scorer import Ids, Scorer, load_scorer

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("auto", "cpu")
DTYPES = ("float32", "bfloat16", "float16")
_HEAD = "ForSequenceClassification"  # how transformers ends the names of such architectures


class RewardModel(Objective):
    r"""The score of a sequence-classification model for the question and the completion.

    The learned reward of `Training Language Models to Follow Instructions with Human Feedback
    <https://arxiv.org/abs/2203.02155>`_:

    .. math:: r(x, y) = \sigma\left(f_\phi(x, y)_k\right)

    where:

    - :math:`x, y` are the question and the completion, as a conversation of two turns by the chat
      template of the model's tokenizer; without one, one text after the other;
    - :math:`f_\phi` is the model (``model``), in evaluation mode and without gradient;
    - :math:`k` is the output (``label``);
    - :math:`\sigma` is the logistic function, or the identity if not ``squash``.

    A text longer than the model can read is cut off at its end. The weights are loaded on first
    use, once in a process, from safetensors files alone; checkpoints do not hold them.

    Equal batches give equal rewards, bit for bit, and so do the same completions in another order
    and equal completions of one batch: different texts are scored once each, in order of length.
    What else is in a batch may alter the last bits, since it decides what is computed together,
    unless ``batch_size`` is 1.

    Args:
        model: The folder of the model; in a study file, its id in ``models.yaml``.
        label: :math:`k`, the output that is the score, by its name or index; needed if there are
            several.
        squash: Whether :math:`\sigma` is the logistic function, between 0 and 1. Raw scores have no
            upper bound, which scalarizers that measure shortfalls have to be given (their
            ``upper_bounds``).
        device: ``auto`` for a GPU if there is one, like the policy, or ``cpu``.
        dtype: The type of its weights, ``float32``, ``bfloat16`` or ``float16``.
        batch_size: Texts scored at a time.
        trust_remote_code: Whether Python in the folder is run. ``models.yaml`` has to trust it,
            too: it is not in a prepared folder otherwise.
    """

    name = "reward_model"
    model_parameters: ClassVar[frozenset[str]] = frozenset({"model"})

    def __init__(
        self,
        model: str,
        *,
        label: str | int | None = None,
        squash: bool = True,
        device: str = "auto",
        dtype: str = "float32",
        batch_size: int = 16,
        trust_remote_code: bool = False,
    ) -> None:
        if isinstance(label, bool) or not isinstance(label, str | int | None):
            refuse("label", "a label's name or index", label)
        self.folder = Path(model)
        self.label = label
        self.squash = flag("squash", squash)
        self.upper_bound = 1.0 if squash else math.inf
        self.device = choice("device", device, DEVICES)
        self.dtype = choice("dtype", dtype, DTYPES)
        self.batch_size = integer("batch_size", batch_size, minimum=1)
        self.trust_remote_code = flag("trust_remote_code", trust_remote_code)

    def check(self) -> None:
        check_model_folder(self.folder)
        file = self.folder / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        found = config.get("architectures") or ["none"]
        if not self.trust_remote_code and not any(str(name).endswith(_HEAD) for name in found):
            raise CrosstalkError(
                f"{file}: architectures: expected a sequence classification model, …{_HEAD}, "
                f"got {', '.join(map(str, found))}"
            )
        labels = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}  # two go without saying
        self._column({int(index): str(name) for index, name in labels.items()})

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        questions = columns.get("question", columns.get("prompts"))
        if questions is None:
            raise CrosstalkError(
                f"objective {self.name!r}: expected the dataset column 'question' or prompts, "
                f"got {', '.join(sorted(columns)) or 'none'}"
            )
        try:
            scorer = load_scorer(self.folder, self.device, self.dtype, self.trust_remote_code)
            column = self._column(scorer.labels)
        except CrosstalkError as error:
            raise CrosstalkError(f"objective {self.name!r}: {error}") from error
        texts = self._encoded(scorer, questions, completions)
        # In order of length, little is padding, and the order of the batch plays no part.
        different = sorted(set(texts), key=lambda ids: (len(ids), ids))
        values = self._scores(scorer.logits(different, self.batch_size), column).tolist()
        strange = next((value for value in values if not math.isfinite(value)), None)
        if strange is not None:  # not: "does not apply", which NaN says elsewhere
            raise CrosstalkError(
                f"objective {self.name!r}: expected a finite score of {self.folder}, got {strange}"
            )
        rewards = dict(zip(different, values, strict=True))
        return [rewards[ids] for ids in texts]

    def _encoded(
        self, scorer: Scorer, questions: Sequence[Completion], completions: Sequence[Completion]
    ) -> list[Ids]:
        """Return the tokens of what the model reads of each completion."""
        return scorer.encode(
            [
                (_question_text(question), completion_text(completion))
                for question, completion in zip(questions, completions, strict=True)
            ]
        )

    def _scores(self, logits: "Tensor", column: int) -> "Tensor":
        """Return the rewards (n,) of the model's outputs (n, K), of which one is the score."""
        return logits[:, column].sigmoid() if self.squash else logits[:, column]

    def _column(self, labels: Mapping[int, str]) -> int:
        """Return the index of the output that is the score."""
        if self.label is None and len(labels) == 1:
            return 0
        for index, name in labels.items():
            if self.label in (index, name):
                return index
        shown = [f"{index} ({name})" for index, name in sorted(labels.items())]
        if self.label is None:
            raise CrosstalkError(
                f"label: expected one of the {len(labels)} outputs of the model in {self.folder}, "
                f"{', '.join(shown)}, got none"
            )
        raise unknown("label", self.label, shown, str(self.folder))


def _question_text(question: Completion) -> str:
    if isinstance(question, str):
        return question
    return "\n".join(turn["content"] for turn in question)
