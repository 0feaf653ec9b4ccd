"""Digests of what determines a result: a specification and the source of the modules at work."""

import ast
import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.project import PACKAGE

LENGTH = 16  # hex digits: 64 bits, far from any collision among a study's cells
NEUTRAL = frozenset(
    {"__init__.py", "errors.py", "files.py", "fingerprint.py", "project.py"}
    | {"schema.py", "study.py", "tiny_styles.py", "validation.py"}
)


def digest(specification: Mapping[str, Any], sources: Iterable[Path] = ()) -> str:
    """Return the digest of a specification (plain JSON values) and of source files' contents."""
    parts = {
        "specification": specification,
        "sources": {_name(path): _file_digest(path) for path in sources},
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:LENGTH]


def modules(*names: str) -> list[Path]:
    """Return the files of the package's modules, given as paths below ``benchmark/``."""
    return [PACKAGE / name for name in names]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def source_of(cls: type) -> Path:
    """Return the file a class is written in."""
    return Path(inspect.getfile(cls)).resolve()


@cache
def _file_digest(path: Path) -> str:
    return file_sha256(path)


def _name(path: Path) -> str:
    """Name a source so that the digest is the same wherever the checkout lies."""
    return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else path.name


def import_closure(*files: Path) -> set[Path]:
    """Return the files and every module of the package they import, directly or not.

    Left out is what does not determine a result beside the specification: ``__init__`` files,
    which list all entries of a registry, the reading of settings, and the writing of files. So a
    new entry, or a reworded message, reruns nothing.
    """
    found: set[Path] = set()
    pending = [file.resolve() for file in files]
    while pending:
        path = pending.pop()
        if path in found or path.name in NEUTRAL:
            continue
        found.add(path)
        pending += _imports(path)
    return found


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the package's modules that a file imports, and the scripts beside it that it names."""
    names: list[str] = []
    scripts: list[Path] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and str(node.value).endswith(".py"):
            scripts.append(path.with_name(Path(str(node.value)).name))
    parts = [name.split(".") for name in names if name.startswith(f"{PACKAGE.name}.")]
    imported = [PACKAGE.joinpath(*part[1:]).with_suffix(".py") for part in parts]
    return tuple(file for file in imported + scripts if file.is_file())
