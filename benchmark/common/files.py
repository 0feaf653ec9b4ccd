"""Write files whole or not at all, and hold locks between processes."""

import fcntl
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.common.errors import CrosstalkError

logger = logging.getLogger(__name__)

_RANDOM = "[a-z0-9_]{8}"  # what tempfile adds to a prefix


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` that takes its place when the block ends well.

    Works for a file or a folder, whichever the block creates. If the block raises, ``path`` stays
    as it was and the temporary is removed; that of a killed process is removed by the next one.

    Raises:
        CrosstalkError: The disk is full or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(f".{path.name}.", path.parent) as scratch:
            yield scratch / path.name
            _swap(scratch / path.name, path, scratch / f"{path.name}.previous")
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be written: {error.strerror or error}") from error


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Hard-link a file that nobody edits; copy it where that cannot be, as to another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder in ``parent`` (the system's if None) that is removed after the block.

    Its owner holds a lock on it, which ends with the process. So folders of this prefix that
    killed processes left behind are told from those at work, and are removed first.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    _remove_abandoned(prefix, parent)
    folder, lock = _locked_folder(prefix, parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(prefix: str, parent: Path) -> tuple[Path, int]:
    """Return a new folder and the descriptor of its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(FileNotFoundError):  # taken for an abandoned one before it was locked
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.is_dir():
                return folder, lock
            os.close(lock)


def _remove_abandoned(prefix: str, parent: Path) -> None:
    """Remove the scratch folders of this prefix that nobody holds."""
    pattern = re.compile(re.escape(prefix) + _RANDOM)
    for folder in [each for each in parent.iterdir() if pattern.fullmatch(each.name)]:
        with suppress(OSError):  # held, gone, or another user's
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def _swap(new: Path, path: Path, aside: Path) -> None:
    """Put ``new`` in the place of ``path``, whose content stays there if that fails."""
    if path.is_dir():  # a folder cannot be renamed over one with content
        path.rename(aside)
    try:
        os.replace(new, path)
    except OSError:
        if aside.exists():
            aside.rename(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one step (see :func:`replacing`)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def exclusive(path: Path, doing: str) -> Iterator[int]:
    """Hold the lock file ``path``; wait, and say so, while another process holds it.

    The lock is the operating system's (``flock``), so it ends with its process however that ends:
    there is never a stale one to remove. The descriptor yielded is not inherited by children.

    Args:
        path: The lock file; created if missing. It holds its owner's process id, for people.
        doing: What the lock protects, for the waiting line.

    Raises:
        CrosstalkError: The lock file cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be locked: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            logger.warning("waiting for process %s, which is %s", owner, doing)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """Return the id of the process that holds the lock file ``path``, or None if none does.

    To find out, the lock is taken for an instant: who asks for it then waits as long, and says so.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        return int(written) if written.isdecimal() else None
    else:
        return None
    finally:
        os.close(descriptor)
