"""Digests of what determines a result: a specification and the source of the modules at work."""

import ast
import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.project import PACKAGE

LENGTH = 16  # hex digits: 64 bits, far from any collision among a study's cells
NEUTRAL = frozenset(
    {"__init__.py", "cells.py", "errors.py", "files.py", "fingerprint.py", "hub.py", "project.py"}
    | {"schema.py", "study.py", "study_checks.py", "validation.py"}
)
_SCRIPT = re.compile(r"[\w./-]+\.py")


def digest(specification: Mapping[str, Any], sources: Iterable[Path] = ()) -> str:
    """Return the digest of a specification (plain JSON values) and of source files' contents."""
    parts = {
        "specification": specification,
        "sources": sorted(_named_digest(path) for path in sources),
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


@cache
def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file that stays as it is while the process runs."""
    return file_sha256(path)


def sources_of(cls: type, root: type) -> list[Path]:
    """Return the files that a class and its bases, up to ``root``, are written in."""
    lineage = [base for base in cls.__mro__ if issubclass(base, root)]
    return [_resolved(inspect.getfile(base)) for base in lineage]


@cache
def _resolved(path: str) -> Path:
    return Path(path).resolve()


@cache
def _named_digest(path: Path) -> tuple[str, str]:
    """Return a source's digest, with a name that is the same wherever the checkout lies."""
    inside = path.is_relative_to(PACKAGE)
    return path.relative_to(PACKAGE).as_posix() if inside else path.name, content_digest(path)


def import_closure(*files: Path) -> set[Path]:
    """Return the files and every module they import, directly or not, from the package.

    Files outside the package bring along the modules beside them, too. Left out of the imports is
    what does not determine a result beside the specification: ``__init__`` files, which list all
    entries of a registry, the reading of settings and the writing of files. So a new entry, or a
    reworded message, reruns nothing.
    """
    return set(_closure(files))


@cache
def _closure(files: tuple[Path, ...]) -> frozenset[Path]:
    found: set[Path] = set()
    pending = [file.resolve() for file in files]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imports(path)
    return frozenset(found)


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the modules that a file imports and the scripts beside it that it names."""
    names: list[str] = []
    scripts: list[Path] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""  # absent in `from . import …`
            names += [module, *(f"{module}.{alias.name}".strip(".") for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and _SCRIPT.fullmatch(str(node.value)):
            scripts.append(path.with_name(Path(str(node.value)).name))
    outside = not path.is_relative_to(PACKAGE)
    imported = [_module_file(name, path) for name in names if outside or _is_ours(name)]
    return tuple(file.resolve() for file in imported + scripts if _is_source(file))


def _is_ours(module: str) -> bool:
    return module.startswith(f"{PACKAGE.name}.")


def _module_file(name: str, importer: Path) -> Path:
    """Return where a module lies: in the package, or else beside its importer."""
    folder = PACKAGE.parent if _is_ours(name) else importer.parent
    return folder / f"{name.replace('.', '/')}.py"


def _is_source(path: Path) -> bool:
    """Return whether a path is that of a module which a result may depend on."""
    neutral = path.is_relative_to(PACKAGE) and path.name in NEUTRAL
    return path.is_file() and not neutral
