"""``crosstalk list``: list what a study can name."""

from collections.abc import Callable, Iterator
from pathlib import Path

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
from benchmark.study.loading import study_names

KINDS = {ScoreScalarizer: "score", AdvantageScalarizer: "advantage", GradientScalarizer: "gradient"}


def rows(what: str, root: Path) -> list[str]:
    """Return the lines of a listing: a name and its description each."""
    listings: dict[str, Callable[[Path], Iterator[tuple[str, ...]]]] = {
        "models": _models,
        "algorithms": _algorithms,
        "objectives": _objectives,
        "studies": _studies,
    }
    table = list(listings[what](root))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))] if table else []
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


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
    for name in study_names(root):
        data = read_yaml(root / "workflow" / "studies" / f"{name}.yaml")
        yield name, " ".join(str(data.get("description", "")).split())
