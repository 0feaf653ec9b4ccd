"""What tasks share whose problems are data: from the hub at a pinned commit, or the user's own."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.fingerprint import content_digest
from benchmark.common.hub import HubNeed, cached_files, check_revision
from benchmark.tasks.base import Problem, Split, Task
from benchmark.tasks.splitting import Splits
from benchmark.tasks.tables import SUFFIXES, is_table

Files = dict[str, Path]  # by their names in the repository, or below the user's folder
BOXED = r"Let's think step by step and output the final answer within \boxed{}."
_PREFIXES: dict[Split, str] = {"train": "train", "validation": "val", "test": "test"}


class DataTask(Task):
    """A task that reads its problems from files.

    Args:
        path: A folder, or a file, in place of the hub; relative to the current folder.
        revision: The commit of the hub's repository, 40 hexadecimal digits.

    Attributes:
        repo: The hub's repository; empty for a task whose files are always the user's own.
        gigabytes: About how much is downloaded.
        pinned: The commit that is read if the study names none.
    """

    repo: ClassVar[str] = ""
    gigabytes: ClassVar[float] = 0.0
    pinned: ClassVar[str | None] = None

    def __init__(self, *, path: str | None = None, revision: str | None = None) -> None:
        self.path = None if path is None else _existing(path)
        if self.path is None:
            self.revision = check_revision(
                self.pinned if revision is None else revision, f"dataset {self.repo}"
            )
        elif revision is not None:
            raise CrosstalkError(f"revision: goes with the hub alone, found it with path {path!r}")

    @property
    def hub_files(self) -> tuple[str, ...]:
        """The files of the repository that the task reads."""
        return ()

    @abstractmethod
    def read(self, files: Files) -> Splits:
        """Return all problems of all splits.

        Raises:
            CrosstalkError: The files do not hold what they should.
        """

    def split(self, split: Split, size: int) -> list[Problem]:
        if split not in _PREFIXES:
            raise unknown("split", split, _PREFIXES)
        problems = self._splits[split]
        if not 1 <= size <= len(problems):
            raise CrosstalkError(
                f"task {self.name!r}: the {split} split was asked for {size} problems,"
                f" allowed are 1 to {len(problems)}"
            )
        return problems[:size]

    def needs(self) -> list[HubNeed]:
        if self.path is not None:
            return []
        return [HubNeed(self.repo, self.revision, "dataset", self.gigabytes, self.hub_files)]

    def contents(self) -> dict[str, str]:
        files = {} if self.path is None else _own_files(self.path)
        return {name: content_digest(path.resolve()) for name, path in files.items()}

    @cached_property
    def _splits(self) -> Splits:
        if self.path is not None:
            return self.read(_own_files(self.path))
        (need,) = self.needs()
        files = cached_files(need)
        if files is None:
            raise CrosstalkError(f"{need} is not downloaded yet: run `crosstalk prepare` first")
        return self.read(files)


class BoxedTask(DataTask):
    r"""A task whose prompts ask for the answer in ``\boxed{}``.

    Args:
        path: A folder, or a file, in place of the hub.
        revision: The commit of the hub's repository.
        suffix: Ends every prompt that does not end so already.
    """

    def __init__(
        self, *, path: str | None = None, revision: str | None = None, suffix: str = BOXED
    ) -> None:
        super().__init__(path=path, revision=revision)
        self.suffix = suffix


def by_split(files: Files) -> dict[Split, list[Path]]:
    """Return the files whose names begin with ``train``, ``val`` or ``test``, by split."""
    groups: dict[Split, list[Path]] = {}
    for split, prefix in _PREFIXES.items():
        paths = [path for name, path in files.items() if _base(name).startswith(prefix)]
        if paths:
            groups[split] = paths
    return groups


def required(files: Files, wanted: Sequence[Split], where: str) -> dict[Split, list[Path]]:
    """Return :func:`by_split`, which has to have the wanted splits.

    Raises:
        CrosstalkError: One is not there.
    """
    groups = by_split(files)
    if not groups.keys() >= set(wanted):
        names = ", ".join(sorted(files)) or "none"
        patterns = " and ".join(f"{_PREFIXES[split]}*" for split in wanted)
        raise CrosstalkError(f"{where}: files found: {names}; wanted: {patterns}")
    return groups


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _existing(path: str) -> Path:
    if not isinstance(path, str) or not path:
        raise CrosstalkError(f"path: found {path!r}, allowed is the path of a folder or file")
    found = Path(path).expanduser()
    if not found.exists():
        raise CrosstalkError(f"path: {path}: no such folder or file")
    return found


def _own_files(path: Path) -> Files:
    if path.is_file():
        return {path.name: path}
    inside = sorted([*path.iterdir(), *path.glob("*/*")])  # in one order on every file system
    files = {file.relative_to(path).as_posix(): file for file in inside if is_table(file)}
    if not files:
        raise CrosstalkError(f"path: {path}: holds no file of {', '.join(SUFFIXES)}")
    return files
