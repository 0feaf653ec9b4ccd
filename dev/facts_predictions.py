"""Gather what came of every prediction that was written down before its study ran."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import causes
import clipping
import designed
import laboratory
import predictions_laboratory
import predictions_tuned
from predictions import Judged, Outcome, judged

Facts = dict[str, Any]


def gather(boards: Path) -> Facts:
    """Return what came of each study that is published, the sums, and all that was missed."""
    studies = _judged(boards)
    missed = [
        {"study": name, "number": k, "text": own.texts[k], "found": each.found}
        for name, (_, own) in studies.items()
        for k, each in own.outcomes.items()
        if each.verdict == "missed"
    ]
    of = {
        name: {
            "asks": asks,
            "number": len(own.outcomes),
            "table": own.table.rstrip("\n"),
            "found": {k: each.found for k, each in own.outcomes.items()},
            **own.counts,
        }
        for name, (asks, own) in studies.items()
    }
    sums = {key: sum(row[key] for row in of.values()) for key in ("met", "missed", "undecided")}
    return {"of": of, "missed": missed, "all": sums}


def _judged(boards: Path) -> dict[str, tuple[str, Judged]]:
    """Return what each study that is published asks, and what came of its predictions."""
    found: dict[str, tuple[str, Mapping[int, Outcome]]] = {}
    if (boards / "laboratory").is_dir():
        outcomes = predictions_laboratory.check(laboratory.read(boards / "laboratory"))
        found["laboratory"] = "rules on planted conflicts", outcomes
    tuned = predictions_tuned.read(boards / "laboratory-tuned")
    if tuned is not None:
        outcomes = predictions_tuned.check(tuned)
        found["laboratory-tuned"] = "the same with tuned settings", outcomes
    if (boards / "causes").is_dir():
        found["causes"] = "is the column *why* right?", causes.check(causes.read(boards))
    for name, asks in (("clipping", "the law under clipping"), ("clipping-tight", "the same")):
        measured = clipping.read(name, boards)
        if measured is not None:
            found[name] = asks, clipping.check(measured)
    for name, asks, checks, read in (
        ("dose", "does a first covariance foretell training?", designed.DOSE, designed.read_dose),
        ("shapes", "does geometry foretell interference?", designed.SHAPES, designed.read_shapes),
    ):
        design = read(boards / name)
        if design is not None:
            found[name] = asks, designed.check(checks, design)
    return {name: (asks, judged(name, own)) for name, (asks, own) in found.items()}
