"""Gather the values that ``docs/findings.md`` and the README name, as text with their intervals.

Measured values come from ``results/leaderboards``, tables of the exact world from
``docs/theory.md``, what was planned from the studies and the recipes of the tiny models.
"""

import re
from pathlib import Path
from typing import Any

import facts_laboratory
import facts_predictions
import facts_quick
import facts_tuned
from laboratory import EVERY, MODELS, REFERENCES, RULES, SERVED, TEN

from benchmark.common.errors import CrosstalkError
from benchmark.interference.shares import proportion_interval
from benchmark.models.tiny.recipes import RECIPES
from benchmark.study import load_study

Facts = dict[str, Any]


def gather(root: Path) -> Facts:
    """Return all values. Those of a study that is not published are None under its name."""
    boards = root / "results" / "leaderboards"
    laboratory = boards / "laboratory"
    return {
        "level": "95%",
        "plan": _plan(),
        "quick": facts_quick.gather(boards / "quick"),
        "exact": _exact(root / "docs" / "theory.md"),
        "laboratory": facts_laboratory.gather(laboratory) if laboratory.is_dir() else None,
        "foretold": facts_predictions.gather(boards),
        "tuned": facts_tuned.gather(boards / "laboratory-tuned"),
    }


def _plan() -> Facts:
    study = load_study("laboratory")
    training, evaluation = study.file.training, study.file.evaluation
    return {
        "cells": len(study.cells),
        "models": len({cell.model for cell in study.cells}),
        "of_each": MODELS,
        "mixtures": len(EVERY),
        "rules": len(RULES),
        "ten": len(TEN),
        "references": len(REFERENCES),
        "objectives": len(study.cells[0].objectives),
        "steps": training.steps,
        "prompts": training.prompts_per_step,
        "completions": training.completions_per_prompt,
        "tested": study.file.task.test,
        "samples": evaluation.samples,
        "served": SERVED,
        "layers": RECIPES[EVERY[0]].layers,
        "taught": {name: facts_laboratory.serving(name) for name in EVERY},
    }


# ---- the exact world ----------------------------------------------------------------------------


def _exact(theory: Path) -> Facts:
    text = theory.read_text(encoding="utf-8")
    first = _table(text, "| rewards, step |")
    problems = int(_said(text, r"the share of (\d+) random problems in which the step lets"))
    wrong = _table(text, "| step | wrong sign |")
    half = proportion_interval([1.0] * (problems // 2) + [0.0] * (problems // 2))
    return {
        "problems": problems,
        "half": f"{100 * (half.high - half.estimate):.0f}",
        "rules": first[0][1:],
        "rows": [{"step": row[0], "cells": row[1:]} for row in first[1:]],
        "law_problems": _said(text, r"\| ([\d,]+) random problems, everything enumerated"),
        "wrong": {row[0].split(",")[0]: {"step": row[0], "share": row[1]} for row in wrong[1:]},
        "fallen": _said(text, r"At the optimum of the scalarized objective ([\d.]+%) of"),
    }


def _table(text: str, beginning: str) -> list[list[str]]:
    """Return the rows of a Markdown table, its header first, without the rule below that."""
    lines = text.splitlines()
    starts = [k for k, line in enumerate(lines) if line.startswith(beginning)]
    if len(starts) != 1:
        raise CrosstalkError(
            f"theory.md: {beginning}: expected one such table, got {len(starts)} of them"
        )
    rows = []
    for line in lines[starts[0] :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def _said(text: str, pattern: str) -> str:
    found = re.findall(pattern, text)
    if len(found) != 1:
        raise CrosstalkError(f"theory.md: {pattern!r}: expected it once, got it {len(found)} times")
    return str(found[0])
