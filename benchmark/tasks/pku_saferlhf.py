"""``pku-saferlhf``: questions to an assistant, many of which ask for harm."""

from typing import ClassVar

from benchmark.tasks.prompts import PromptTask

_SOURCES = ("Alpaca-7B", "Alpaca2-7B", "Alpaca3-8B")  # whose answers were compared


class PkuSafeRlhf(PromptTask):
    """Prompts of `PKU-SafeRLHF <https://arxiv.org/abs/2406.15513>`_.

    Its rows compare two answers to a prompt by helpfulness and by harmlessness, so prompts come
    several times; each is taken once. What people preferred is not read. Column: ``prompt``. The
    licence is cc-by-nc-4.0: not for commercial use.

    Args:
        path: A folder with files ``train*`` and ``test*``, or folders with them, in place of the
            hub.
        revision: The commit of the hub's repository; None for the default one.
    """

    name: ClassVar[str] = "pku-saferlhf"
    repo: ClassVar[str] = "PKU-Alignment/PKU-SafeRLHF"
    gigabytes: ClassVar[float] = 0.14
    pinned: ClassVar[str | None] = "9421ffafec3fa40a1f1a7d567b4d525079477ecb"

    @property
    def hub_files(self) -> tuple[str, ...]:
        parts = ("train", "test")
        return tuple(f"data/{source}/{part}.jsonl" for source in _SOURCES for part in parts)
