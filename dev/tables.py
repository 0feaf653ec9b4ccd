"""Write the tables of the documents that say what the classes say. Usage: dev/tables.py [--check]

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``. With ``--check``
nothing is written, and the exit status is 1 if a table is not what it would be.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from inspect import Parameter
from pathlib import Path

from places import filled

from benchmark.commands.listing import KINDS
from benchmark.objectives import OBJECTIVES
from benchmark.scalarizers import SCALARIZERS, Scalarizer
from benchmark.scalarizers.torchjd import PREFIX
from benchmark.scalarizers.torchjd_methods import METHODS
from benchmark.scalarizers.torchjd_papers import PAPERS
from benchmark.study.published_spaces import INCLUDES, SPACES
from benchmark.study.spaces import Dimension
from benchmark.tasks import TASKS

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main(check: bool) -> int:
    """Bring all documents up to date, or say which are not."""
    stale = []
    for file in (DOCS / f"{name}.md" for name in ("algorithms", "objectives", "tasks", "tuning")):
        text = file.read_text()
        made = filled(text, "table", table)
        if made != text:
            stale.append(file)
            if not check:
                file.write_text(made)
    for file in stale:
        print(f"{file.name}: tables {'differ from the code' if check else 'written'}")
    return int(check and bool(stale))


def table(name: str) -> str:
    """Return the table of that name: one of all classes, or the parameters of one."""
    whole: dict[str, Callable[[], str]] = {
        "algorithms": _algorithms,
        "torchjd": _torchjd,
        "objectives": _objectives,
        "spaces": _spaces,
        "includes": _includes,
    }
    return whole[name]() if name in whole else _parameters(({**OBJECTIVES, **TASKS})[name])


def _algorithms() -> str:
    names: dict[type[Scalarizer], list[str]] = {}
    for name, cls in SCALARIZERS.items():
        if not name.startswith(PREFIX):
            names.setdefault(cls, []).append(f"`{name}`")
    rows = [
        [", ".join(ids), _kind(cls), _signals(cls), _adapts(cls), _defaults(_own(cls)[2:])]
        for cls, ids in names.items()
    ]
    torchjd = SCALARIZERS[f"{PREFIX}UPGrad"]
    own = [_kind(torchjd), _signals(torchjd), _adapts(torchjd), "see its section"]
    rows.append([f"`{PREFIX}<Name>`", *own])
    return _rows(["id", "kind", "signals", "updates every", "parameters and defaults"], rows)


def _torchjd() -> str:
    rows = [
        [
            f"`{name}`",
            PAPERS[name].rule,
            "<br>".join(
                f"`{key}` ({_default(default)}): {PAPERS[name].meanings[key]}"
                for key, default in method.options.items()
            )
            or "–",
            f"[{PAPERS[name].title}]({PAPERS[name].url})",
        ]
        for name, method in METHODS.items()
    ]
    return _rows(["name", "how it weighs", "parameters", "paper"], rows)


def _objectives() -> str:
    rows = [
        [
            f"[`{name}`](#{name})",
            _markdown(inspect.getdoc(cls) or "").splitlines()[0],
            _defaults(_own(cls)),
        ]
        for name, cls in OBJECTIVES.items()
    ]
    return _rows(["id", "reward", "parameters and defaults"], rows)


def _spaces() -> str:
    """Return a row per space, the scalarizers that share one together."""
    names: dict[int, list[str]] = {}
    for name, space in SPACES.items():
        names.setdefault(id(space), []).append(name)
    rows = [
        [
            ", ".join(f"`{name}`" for name in ids),
            "<br>".join(
                f"`{key}`: {_range(each)}" for key, each in SPACES[ids[0]].dimensions.items()
            )
            + "".join(f"<br>`{key}`: `{value}`" for key, value in SPACES[ids[0]].fixed.items()),
            SPACES[ids[0]].source,
        ]
        for ids in names.values()
    ]
    return _rows(["scalarizer", "parameters", "source of the bounds"], rows)


def _range(dimension: Dimension) -> str:
    if dimension.kind == "simplex":
        return "uniform on the simplex"
    kind = {"uniform": "uniform", "log_uniform": "log-uniform"}[dimension.kind]
    whom = {None: "", "objective": ", one value for all objectives"}
    whom["constraint"] = ", one value for all objectives but the first"
    low, high = _default(dimension.low), _default(dimension.high)
    return f"{kind}, {low} to {high}{whom[dimension.each]}"


def _includes() -> str:
    """Return a row per rule that is an end of others."""
    others: dict[str, list[str]] = {}
    for rule, special in INCLUDES.items():
        others.setdefault(special, []).append(f"`{rule}`")
    rows = [[f"`{special}`", ", ".join(rules)] for special, rules in others.items()]
    return _rows(["special case", "of"], rows)


def _parameters(cls: type) -> str:
    """Return a row per parameter of a constructor, with what the class's docstring says of it."""
    (block,) = re.findall(r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(cls) or "", re.MULTILINE)
    said = dict(re.findall(r"^    (\w+): ((?:.+\n?)(?:^     .*\n?)*)", block, re.MULTILINE))
    rows = [
        [f"`{each.name}`", _default(each.default), " ".join(_markdown(said[each.name]).split())]
        for each in _own(cls)
    ]
    return _rows(["parameter", "default", "meaning"], rows)


def _own(cls: type) -> list[Parameter]:
    return list(inspect.signature(cls).parameters.values())


def _kind(cls: type[Scalarizer]) -> str:
    return next(kind for base, kind in KINDS.items() if issubclass(cls, base))


def _signals(cls: type[Scalarizer]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(each.name for each in cls.requires)) or "–"


def _adapts(cls: type[Scalarizer]) -> str:
    return "–" if cls.update is Scalarizer.update else f"`{cls.update_every}`"


def _defaults(own: Iterable[Parameter]) -> str:
    return ", ".join(f"`{each.name}` ({_default(each.default)})" for each in own) or "–"


def _default(value: object) -> str:
    """Return a default as a study file has it."""
    if value is Parameter.empty or isinstance(value, type):
        return "required"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def _markdown(text: str) -> str:
    """Return reStructuredText of a docstring as Markdown, None as YAML has it."""
    text = re.sub(r":math:`(.+?)`", r"$\1$", text)
    return re.sub(r"\bNone\b", "null", text.replace("``", "`"))


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([cell.replace("|", r"\|") for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
