"""``ultrafeedback``: instructions of many kinds to an assistant."""

from typing import ClassVar

from benchmark.tasks.prompts import PromptTask


class UltraFeedback(PromptTask):
    """Prompts of `UltraFeedback <https://arxiv.org/abs/2310.01377>`_, in its binarized version.

    The splits are ``train_prefs`` and ``test_prefs``; which answers were preferred is not read.
    Column: ``prompt``.

    Args:
        path: A folder with files ``train*`` and ``test*``, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.
    """

    name: ClassVar[str] = "ultrafeedback"
    repo: ClassVar[str] = "HuggingFaceH4/ultrafeedback_binarized"
    gigabytes: ClassVar[float] = 0.24
    pinned: ClassVar[str | None] = "3949bf5f8c17c394422ccfab0c31ea9c20bdeb85"

    @property
    def hub_files(self) -> tuple[str, ...]:
        return tuple(f"data/{part}_prefs-00000-of-00001.parquet" for part in ("train", "test"))
