"""Gather what came of every prediction that was written down before its study ran."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import causes
import clipping
import designed
import laboratory
import predictions
import predictions_laboratory
import predictions_tuned
from predictions import Outcome

Facts = dict[str, Any]


class Study(NamedTuple):
    """A study's predictions: what it asks, the file of predictions, their texts, what came."""

    asks: str
    file: str
    texts: Mapping[int, str]
    outcomes: Mapping[int, Outcome]


def gather(boards: Path) -> Facts:
    """Return a row per study that is published, the sums, and every prediction that was missed."""
    rows, missed = [], []
    for study in _studies(boards):
        verdicts = [each.verdict for each in study.outcomes.values()]
        counts = {name: verdicts.count(name) for name in ("met", "missed", "undecided")}
        rows.append({"study": study.file, "asks": study.asks, **counts})
        missed += [
            {"study": study.file, "number": k, "text": study.texts[k], "found": each.found}
            for k, each in study.outcomes.items()
            if each.verdict == "missed"
        ]
    names = ("met", "missed", "undecided")
    return {"rows": rows, "missed": missed, "all": {n: sum(row[n] for row in rows) for n in names}}


def _studies(boards: Path) -> list[Study]:
    found = []
    if (boards / "laboratory").is_dir():
        outcomes = predictions_laboratory.check(laboratory.read(boards / "laboratory"))
        texts = predictions_laboratory.written()
        found.append(Study("rules on planted conflicts", "laboratory", texts, outcomes))
    tuned = predictions_tuned.read(boards / "laboratory-tuned")
    if tuned is not None:
        outcomes, texts = predictions_tuned.check(tuned), predictions_tuned.written()
        found.append(Study("the same with tuned settings", "laboratory-tuned", texts, outcomes))
    results = causes.read(boards) if (boards / "causes").is_dir() else None
    if results is not None:
        asks = "is the column *why* right?"
        found.append(Study(asks, "causes", causes.written(), causes.check(results)))
    for name, asks in (("clipping", "the law under clipping"), ("clipping-tight", "the same")):
        measured = clipping.read(name, boards)
        if measured is not None:
            found.append(Study(asks, name, clipping.written(name), clipping.check(measured)))
    for name, asks, checks, own in (
        ("dose", "does a first covariance foretell training?", designed.DOSE, designed.read_dose),
        ("shapes", "does geometry foretell interference?", designed.SHAPES, designed.read_shapes),
    ):
        designs = own(boards / name)
        if designs is not None:
            texts = predictions.written(designed.WRITTEN / f"{name}.md", checks)
            found.append(Study(asks, name, texts, designed.check(checks, designs)))
    return found
