"""Digests of what determines a result: settings, and the code of the modules at work.

A module counts by what its code does: docstrings, comments, blank lines, its own path and the paths
of what it imports are left out. So rewording or moving a module reruns nothing. The text of the
code is hashed and not its syntax tree, whose form differs between versions of Python.
"""

import ast
import hashlib
import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.common.paths import PACKAGE

LENGTH = 16  # hex digits: 64 bits, far from any collision among a study's cells
# Modules that determine no result beyond the settings that they read: a new message, check or entry
# of a registry reruns nothing.
EXEMPT = frozenset(
    {
        "benchmark",
        "benchmark.common.errors",
        "benchmark.common.files",
        "benchmark.common.fingerprint",
        "benchmark.common.hub",
        "benchmark.common.parameters",
        "benchmark.common.paths",
        "benchmark.common.records",
        "benchmark.common.settings",
        "benchmark.objectives",
        "benchmark.scalarizers",
        "benchmark.scalarizers.torchjd_papers",
        "benchmark.study.checks",
        "benchmark.study.digests",
        "benchmark.study.loading",
        "benchmark.study.schema",
        "benchmark.study.study",
        "benchmark.tasks",
    }
)
_SCRIPT = re.compile(r"[\w./-]+\.py")
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class _Import(NamedTuple):
    """A name that a module imports, and the file that defines it; None for what does not count."""

    name: str
    file: Path | None


def digest(specification: Mapping[str, Any], sources: Iterable[Path] = ()) -> str:
    """Return the digest of a specification (plain JSON values) and of modules' code."""
    parts = {"specification": specification, "code": _digest_of_all(frozenset(sources))}
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:LENGTH]


@cache
def _digest_of_all(sources: frozenset[Path]) -> str:
    return hashlib.sha256("\n".join(sorted(map(_code_digest, sources))).encode()).hexdigest()


def modules(*names: str) -> list[Path]:
    """Return the files of the package's modules, given as ``room.module``."""
    return [PACKAGE / f"{name.replace('.', '/')}.py" for name in names]


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


# --- a module's code ---------------------------------------------------------------------------


def code_of(source: str) -> str:
    """Return a module's code without docstrings, comments, blank lines and imports of our own."""
    lines = source.splitlines()
    tree = ast.parse(source)
    for row, column in _comments(source):
        lines[row] = lines[row][:column]
    for node in sorted(_left_out(tree), key=lambda node: -node.lineno):
        _blank_out(lines, node)
    verbatim = _inside_strings(tree)
    return "\n".join(
        line if row in verbatim else line.rstrip()
        for row, line in enumerate(lines)
        if row in verbatim or line.strip()
    )


def _comments(source: str) -> Iterator[tuple[int, int]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0] - 1, token.start[1]


def _left_out(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the docstrings and the imports from the package."""
    for node in ast.walk(tree):
        if isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0]
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module or ""):
            yield node


def _blank_out(lines: list[str], node: ast.stmt) -> None:
    """Replace a statement by nothing, and leave what else stands on its lines."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    start = _characters(lines[first], node.col_offset)
    end = _characters(lines[last], node.end_col_offset or 0)
    before, after = lines[first][:start], lines[last][end:]
    lines[first : last + 1] = [before + after, *[""] * (last - first)]


def _characters(line: str, count: int) -> int:
    """Return how many characters the first ``count`` bytes of a line are."""
    return len(line.encode()[:count].decode())


def _inside_strings(tree: ast.Module) -> set[int]:
    """Return the lines within strings of several lines, whose blanks are part of the code."""
    own = {id(node.value) for node in _left_out(tree) if isinstance(node, ast.Expr)}
    return {
        row
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
        if id(node) not in own
        for row in range(node.lineno - 1, (node.end_lineno or node.lineno) - 1)
    }


@cache
def _own_digest(path: Path) -> str:
    return hashlib.sha256(code_of(_source(path)).encode()).hexdigest()


@cache
def _code_digest(path: Path) -> str:
    """Return the digest of a module's code and of the definitions that its imports bring."""
    named = sorted(
        f"{each.name} {_own_digest(each.file) if each.file is not None else ''}"
        for each in _imports(path)
    )
    return hashlib.sha256("\n".join([_own_digest(path), *named]).encode()).hexdigest()


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# --- what a module reaches ---------------------------------------------------------------------


def import_closure(*files: Path) -> set[Path]:
    """Return the files and every module they import, directly or not, from the package.

    A name that a package hands on is followed to the module that defines it. Files outside the
    package bring along the modules beside them, too. :data:`EXEMPT` modules are left out.
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
            pending += [each.file for each in _imports(path) if each.file is not None]
    return frozenset(found)


@cache
def _imports(path: Path) -> tuple[_Import, ...]:
    """Return what a file imports from the package, and the scripts beside it that it names."""
    outside = not path.is_relative_to(PACKAGE)
    found: list[_Import] = []
    for node in ast.walk(ast.parse(_source(path))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""  # absent in `from . import …`
            if outside or _is_ours(module):
                found += [
                    _Import(_bound(each), _file(module, each.name, path)) for each in node.names
                ]
        elif isinstance(node, ast.Import) and outside:
            found += [_Import(each.name, _file(each.name, None, path)) for each in node.names]
        elif isinstance(node, ast.Constant) and _SCRIPT.fullmatch(str(node.value)):
            script = path.with_name(Path(str(node.value)).name)
            found += [_Import(script.name, script.resolve())] if script.is_file() else []
    return tuple(found)


def _bound(name: ast.alias) -> str:
    return name.name if name.asname is None else f"{name.name} as {name.asname}"


def _is_ours(module: str) -> bool:
    return module == PACKAGE.name or module.startswith(f"{PACKAGE.name}.")


def _file(module: str, name: str | None, importer: Path) -> Path | None:
    """Return the file that defines what is imported; None for another library's and the exempt."""
    folder = PACKAGE.parent if _is_ours(module) else importer.parent
    base = folder / module.replace(".", "/")
    for dotted, file in (
        (f"{module}.{name}", base / f"{name}.py"),
        (module, base.with_name(f"{base.name}.py")),
    ):
        if file.is_file():
            return None if _is_ours(module) and dotted in EXEMPT else file.resolve()
    face = base / "__init__.py"
    if not face.is_file() or not _is_ours(module) or name is None:
        return None
    for node in ast.parse(_source(face)).body:
        if isinstance(node, ast.ImportFrom) and name in (
            each.asname or each.name for each in node.names
        ):
            real = next(each.name for each in node.names if name == (each.asname or each.name))
            return _file(node.module or "", real, face)
    return None if module in EXEMPT else face.resolve()
