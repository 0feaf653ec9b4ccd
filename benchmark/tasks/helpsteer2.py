"""``helpsteer2``: questions to an assistant whose answers were rated by five attributes."""

from typing import ClassVar

from benchmark.tasks.base import Split
from benchmark.tasks.prompts import PromptTask

_TURN = "<extra_id_1>"  # stands between the turns of a longer conversation


class HelpSteer2(PromptTask):
    """Prompts of `HelpSteer2 <https://arxiv.org/abs/2406.08673>`_.

    Two answers to each prompt are rated; the prompt is taken once, and the ratings are not read.
    Conversations of several turns are left out, since a policy is asked one question. The test
    split is the data set's ``validation``. Column: ``prompt``.

    Args:
        path: A folder with files ``train*`` and ``val*``, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.
    """

    name: ClassVar[str] = "helpsteer2"
    repo: ClassVar[str] = "nvidia/HelpSteer2"
    gigabytes: ClassVar[float] = 0.02
    pinned: ClassVar[str | None] = "990b2711a36180dd19d9c94b8627844866f8982a"
    held_out: ClassVar[Split] = "validation"

    @property
    def hub_files(self) -> tuple[str, ...]:
        return "train.jsonl.gz", "validation.jsonl.gz"

    def wanted(self, prompt: str) -> bool:
        return _TURN not in prompt
