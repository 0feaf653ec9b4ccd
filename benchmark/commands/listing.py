"""``crosstalk list``: list what a study can name."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark.commands.jobs.profiles import PROFILES
from benchmark.common.paths import relative
from benchmark.common.settings import read_yaml
from benchmark.models.entry import load_models
from benchmark.objectives import OBJECTIVE_SETS, OBJECTIVES
from benchmark.scalarizers import (
    SCALARIZERS,
    AdvantageScalarizer,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
)
from benchmark.study.loading import study_files

KINDS = {ScoreScalarizer: "score", AdvantageScalarizer: "advantage", GradientScalarizer: "gradient"}


def rows(what: str, root: Path) -> list[str]:
    """Return the lines of a listing: a name and its description each."""
    table = _table(what, root)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))] if table else []
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def records(what: str, root: Path) -> list[dict[str, str]]:
    """Return the same, a mapping a line: its columns by name."""
    columns = _LISTINGS[what][1]
    return [dict(zip(columns, row, strict=True)) for row in _table(what, root)]


def _table(what: str, root: Path) -> list[tuple[str, ...]]:
    return list(_LISTINGS[what][0](root))


def _models(root: Path) -> Iterator[tuple[str, ...]]:
    for name, spec in load_models(root).items():
        hub = f"{spec.hub} at {spec.revision}" if spec.hub else None
        yield name, hub or spec.path or f"recipe {spec.recipe}"


def _algorithms(root: Path) -> Iterator[tuple[str, ...]]:
    for name, cls in SCALARIZERS.items():
        signals = ", ".join(sorted(signal.name.lower() for signal in cls.requires)) or "-"
        yield name, _kind(cls), signals, cls.source


def _kind(cls: type[Scalarizer]) -> str:
    return next(kind for base, kind in KINDS.items() if issubclass(cls, base))


def _objectives(root: Path) -> Iterator[tuple[str, ...]]:
    for name, cls in OBJECTIVES.items():
        yield name, (cls.__doc__ or "").strip().splitlines()[0]
    for name, members in OBJECTIVE_SETS.items():
        yield name, f"set of {', '.join(members)}"


def _studies(root: Path) -> Iterator[tuple[str, ...]]:
    for name, file in study_files(root).items():
        data = read_yaml(file)
        yield name, " ".join(str(data.get("description", "")).split())


def _profiles(root: Path) -> Iterator[tuple[str, ...]]:
    for file in sorted(PROFILES.glob("*/config.yaml")):
        yield file.parent.name, relative(file.parent)


_LISTINGS: dict[str, tuple[Callable[[Path], Iterator[tuple[str, ...]]], tuple[str, ...]]] = {
    "models": (_models, ("name", "source")),
    "algorithms": (_algorithms, ("name", "kind", "signals", "source")),
    "objectives": (_objectives, ("name", "description")),
    "studies": (_studies, ("name", "description")),
    "profiles": (_profiles, ("name", "folder")),
}
