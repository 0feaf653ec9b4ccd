"""``math500``: 500 competition problems, cut as in the study into 300, 100 and 100."""

from functools import partial
from typing import ClassVar

from benchmark.tasks.data import BoxedTask
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.splits import Files, Splits, given_or_cut

_HUB = Layout("problem", "answer", "unique_id")
_STUDY = Layout("prompt", "reward_model.ground_truth", "unique_id")


class Math500(BoxedTask):
    r"""Problems of the MATH benchmark whose answers go into ``\boxed{}``.

    From the hub, or from one file with its 500 rows, 0.4 is taken away with seed 42; of that, 0.5
    with the same seed is the validation split and the rest the test split, as in `Uncovering
    Cross-Objective Interference in Multi-Objective Alignment <https://arxiv.org/abs/2602.06869>`_,
    whose released scripts then validate on the test split; here the two are kept apart. A folder
    with files ``train*``, ``val*`` and ``test*`` is taken as it is cut.

    Columns: ``problem``, ``answer`` and ``unique_id``, as on the hub; or ``prompt`` (text or a
    conversation of one message), ``reward_model.ground_truth`` and ``unique_id``, as in the study's
    files.

    Args:
        path: A folder, or a file, in place of the hub.
        revision: The commit of the hub's repository; None for the default one.
        suffix: Ends every prompt that does not end so already.
    """

    name: ClassVar[str] = "math500"
    repo: ClassVar[str] = "HuggingFaceH4/MATH-500"
    gigabytes: ClassVar[float] = 0.0005
    pinned: ClassVar[str | None] = "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"

    @property
    def hub_files(self) -> tuple[str, ...]:
        return ("test.jsonl",)

    def read(self, files: Files) -> Splits:
        read = partial(read_problems, layouts=[_HUB, _STUDY], suffix=self.suffix)
        return given_or_cut(files, read, 0.4, f"task {self.name!r}")
