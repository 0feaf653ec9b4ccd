"""When a fork of the preloaded process is what a process of its own would be."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.common.paths import PACKAGE

NO_MATTER = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})  # variables that shells set

Stats = Mapping[str, tuple[int, ...]]


def different(ours: Any, theirs: Any) -> str:
    """Return the names of the entries that differ, those that do not matter apart."""
    if not isinstance(ours, dict):
        return "" if ours == theirs else "another"
    names = (ours.keys() | theirs.keys()) - NO_MATTER
    return ", ".join(sorted(n for n in names if ours.get(n) != theirs.get(n)))


def code_stats() -> Stats:
    """Return when and how the package's files, and others that are loaded, were last changed.

    Of installed libraries: when one was last added, removed or replaced.
    """
    files = {str(file) for file in PACKAGE.rglob("*.py")}
    files |= {str(file) for file in map(_own_file, list(sys.modules.values())) if file}
    files |= {folder for folder in sys.path if folder.endswith("-packages")}
    return {file: _stat(file) for file in files}


def _own_file(module: Any) -> str:
    """Return the file of a module that is neither Python's nor an installed library's."""
    file = (vars(module).get("__file__") if isinstance(module, ModuleType) else "") or ""
    return "" if file.startswith(sys.base_prefix) or "-packages/" in file else file


def _stat(file: str) -> tuple[int, ...]:
    try:
        found = Path(file).stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def fork_hazards() -> str:
    """Return what would not survive a fork, or nothing."""
    tasks = list(Path("/proc/self/task").iterdir())
    if len(tasks) > 1:
        names = sorted((task / "comm").read_text().strip() for task in tasks)
        return f"the preloaded process has several threads: {', '.join(names)}"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "the preloaded process uses a GPU"
    return ""
