"""Tasks whose problems are data: from the hub at a pinned commit, or the user's own files."""

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import content_digest
from benchmark.common.hub import HubNeed, cached_files, check_revision
from benchmark.common.parameters import refuse
from benchmark.tasks.base import Problem, Split, Task
from benchmark.tasks.rows import SUFFIXES, is_table
from benchmark.tasks.splits import Files, Splits

BOXED = r"Let's think step by step and output the final answer within \boxed{}."


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
            refuse("revision", "none where a path is given", revision)

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
        splits = self._splits
        self.check(split, size, {name: len(problems) for name, problems in splits.items()})
        return splits[split][:size]

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


def _existing(path: str) -> Path:
    if not isinstance(path, str) or not path:
        refuse("path", "a folder or file", path)
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
