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
# Modules that determine no result beyond the settings that they read, or the files that settings
# digest: a new message, check or entry of a registry reruns nothing.
EXEMPT = frozenset(
    {
        "benchmark",
        "benchmark.commands.prepare",
        "benchmark.common.errors",
        "benchmark.common.files",
        "benchmark.common.fingerprint",
        "benchmark.common.hub",
        "benchmark.common.parameters",
        "benchmark.common.paths",
        "benchmark.common.plugins",
        "benchmark.common.records",
        "benchmark.common.settings",
        "benchmark.common.termination",
        "benchmark.common.time_limits",
        "benchmark.models.policy.sampling",
        "benchmark.models.tiny.recipes",
        "benchmark.objectives",
        "benchmark.scalarizers",
        "benchmark.scalarizers.torchjd_papers",
        "benchmark.study.checks",
        "benchmark.study.digests",
        "benchmark.study.entries",
        "benchmark.study.loading",
        "benchmark.study.schema",
        "benchmark.study.study",
        "benchmark.tasks",
    }
)
_SCRIPT = re.compile(r"[\w./-]+\.py")
_MODULE = re.compile(rf"{PACKAGE.name}(\.\w+)+")
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class _Import(NamedTuple):
    """A name that a module imports, where in it, and what defines it; None if it does not count."""

    scope: str
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
    left_out = sorted(_left_out(ast.parse(source)), key=lambda node: -node.lineno)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    docstrings = {node.lineno for node in left_out if isinstance(node, ast.Expr)}
    verbatim = {row for first, rows in _strings(tokens) if first not in docstrings for row in rows}
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in left_out:
        _blank_out(lines, node)
    return "\n".join(
        line if row in verbatim else line.rstrip()
        for row, line in enumerate(lines, start=1)
        if row in verbatim or line.strip()
    )


def _left_out(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the docstrings and the imports from the package."""
    for node in ast.walk(tree):
        if isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0]
        if isinstance(node, ast.ImportFrom) and (node.level or _is_ours(node.module or "")):
            yield node
        if isinstance(node, ast.Import) and all(_is_ours(each.name) for each in node.names):
            yield node


def _strings(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tuple[int, range]]:
    """Yield each string's first row, and the rows whose ends are inside it: blanks count there."""
    opened: list[int] = []
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind == "STRING":
            yield token.start[0], range(token.start[0], token.end[0])
        elif kind.endswith("STRING_START"):  # formatted ones, from Python 3.12
            opened.append(token.start[0])
        elif kind.endswith("STRING_END"):
            first = opened.pop()
            yield first, range(first, token.end[0])


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


def _own_digest(path: Path) -> str:
    return _digest_of_text(_source(path))


@cache
def _digest_of_text(source: str) -> str:
    return hashlib.sha256(code_of(source).encode()).hexdigest()


@cache
def _code_digest(path: Path) -> str:
    """Return the digest of a module's code, with what each name that it imports stands for."""
    named = sorted(f"{each.scope} {each.name} {_meaning(each.file)}" for each in _imports(path))
    return hashlib.sha256("\n".join([_own_digest(path), *named]).encode()).hexdigest()


@cache
def _meaning(file: Path | None) -> str:
    """Return the digest of the code that an imported name brings along."""
    if file is None:
        return ""
    reached = sorted(map(_own_digest, _closure((file,))))
    return hashlib.sha256("\n".join([_own_digest(file), *reached]).encode()).hexdigest()


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# --- what a module reaches ---------------------------------------------------------------------


def import_closure(*files: Path) -> set[Path]:
    """Return the files and every module they import, directly or not, from the package.

    A name that a package hands on is followed to the module that defines it. Files outside the
    package bring along the modules beside them, and those of their own package. :data:`EXEMPT`
    modules are left out.
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
    """Return what a file imports, and the modules and scripts beside it that it names in text."""
    outside = not path.is_relative_to(PACKAGE)
    found: list[_Import] = []
    for scope, node in _mentions(_source(path)):
        if isinstance(node, str):
            found += _named(path, node)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if outside or node.level or _is_ours(module):
                found += [_imported(scope, module, each, path, node.level) for each in node.names]
        else:
            found += [
                _Import(scope, each.asname or each.name, _file(each.name, None, path))
                for each in node.names
                if outside or _is_ours(each.name)
            ]
    return tuple(found)


@cache
def _mentions(source: str) -> tuple[tuple[str, ast.ImportFrom | ast.Import | str], ...]:
    """Return a text's imports, and what may be a script or a module, each with where it stands."""
    found: list[tuple[str, ast.ImportFrom | ast.Import | str]] = []
    for scope, node in _scoped(ast.parse(source), ""):
        if isinstance(node, ast.ImportFrom | ast.Import):
            found.append((scope, node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [(scope, node.value)] if _may_name(node.value) else []
    return tuple(found)


def _may_name(text: str) -> bool:
    """Return whether a text may be the name of a script or of a module of the package."""
    return _SCRIPT.fullmatch(text) is not None or _MODULE.fullmatch(text) is not None


def _imported(scope: str, module: str, name: ast.alias, path: Path, level: int) -> _Import:
    file, bound = _file(module, name.name, path, level), name.asname or name.name
    is_module = file is not None and file.stem == name.name  # whose own name is part of its path
    return _Import(scope, bound if is_module else f"{name.name} as {bound}", file)


def _named(path: Path, text: str) -> list[_Import]:
    """Return the script beside a file, or the module of the package, that a text names."""
    script = path.with_name(Path(text).name) if _SCRIPT.fullmatch(text) else None
    if script is not None and script.is_file():
        return [_Import("", script.name, script.resolve())]
    file = _file(text, None, path) if _MODULE.fullmatch(text) else None
    return [_Import("", "", file)] if file is not None else []


def _scoped(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node below one, with the function, class or branch that it is in.

    An import means something else in another one; its line in a block is a matter of sorting.
    """
    for field, value in ast.iter_fields(node):
        inner = scope
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            inner = f"{scope}/{getattr(node, 'name', None) or type(node).__name__}.{field}"
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield inner, child
                yield from _scoped(child, inner)


def _is_ours(module: str) -> bool:
    return module == PACKAGE.name or module.startswith(f"{PACKAGE.name}.")


def _file(module: str, name: str | None, importer: Path, level: int = 0) -> Path | None:
    """Return the file that defines what is imported; None for another library's and the exempt."""
    for folder in _folders(module, importer, level):
        file = _file_in(folder, module, name)
        if file is not None:
            return None if _is_exempt(file) else file
    return None


def _folders(module: str, importer: Path, level: int) -> list[Path]:
    """Return where an import is looked for; ``level`` is the number of dots of a relative one."""
    if _is_ours(module):
        return [PACKAGE.parent]
    if level:
        return [importer.parents[level - 1]]
    if importer.is_relative_to(PACKAGE):
        return []
    top = importer.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    if top.name not in ("site-packages", "dist-packages"):
        return [importer.parent, top]
    own = importer.relative_to(top).parts[0].removesuffix(".py")
    return [top] if module.partition(".")[0] == own else []


def _file_in(folder: Path, module: str, name: str | None) -> Path | None:
    base = folder / module.replace(".", "/")
    for file in (base / f"{name}.py", base.with_name(f"{base.name}.py")):
        if file.is_file():
            return file.resolve()
    face = base / "__init__.py"
    if not face.is_file():
        return None
    for scope, node in _mentions(_source(face)):
        if not scope and isinstance(node, ast.ImportFrom):  # it hands on what it imports
            for each in node.names:
                if name == (each.asname or each.name):
                    return _file(node.module or "", each.name, face, node.level)
    return face.resolve()


def _is_exempt(file: Path) -> bool:
    if not file.is_relative_to(PACKAGE):
        return False
    parts = (PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__") in EXEMPT
