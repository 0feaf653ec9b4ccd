"""Write what the diagnosis of a study found as one Markdown page."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas

from benchmark.diagnosis.samples import KINDS
from benchmark.leaderboard.pages.markdown import NOTHING, escape, number, table

Row = Mapping[Hashable, Any]
MEASURES = (  # column, header, column of the number of records it is of
    ("sign_agreement", "sign agreement", "records"),
    ("changed_agreement", "of those whose change is resolved", "changed"),
    ("resolved_agreement", "prediction resolved too", "resolved"),
    ("slope", "slope", ""),
    ("rank_correlation", "rank correlation", ""),
    ("lowered_agreement", "steps that lower their own signal", "lowered_resolved"),
)
KEY = """\
## How to read this

- A *record* is one objective at one diagnosed training step of one run. Its *realised change* was
  measured on held-out prompts with common random numbers; the *prediction* comes from other
  prompts. Brackets hold 95% intervals over cells (runs), not over prompts: steps and objectives
  of one cell are not independent. Cells of one model are not either; no interval covers the
  choice of models.
- *Derivative along the update*: exact to first order for the update that was made. The
  *covariances* are the law's; their common scale is set so that the training signal itself is
  predicted right to first order, and a slope of 1 says that objectives follow in proportion.
  *What the loss raises*: the advantage, divided by the completion's length under the loss `grpo`.
- *Sign agreement*: share of records whose change has the sign predicted. A quantity is *resolved*
  if it differs from 0 by more than 1.96 of its standard errors over prompts.
- An update that *lowers its own training signal* at first order is no step that the law speaks
  of: its records are in none of the other columns, and no sign is turned for it. Shown is the
  share whose change has the covariance's sign, of those with both resolved.
- A step that two cells make alike up to rounding, such as the first one of methods that begin
  with the same weights, counts once.
- *Why an objective fell*: its decline at the diagnosed steps, by cause. *Covered*: that decline
  over the objective's whole decline; above 100% where it rose again at other steps. **weights**:
  the training signal asked for the decline, though other weights on that step's training rewards
  would have asked every objective to rise, to first order (not that training with them avoids the
  decline); **trade-off**: no weights would have; **clipping**: the surrogate's clipping turned
  the covariance; **parameters and optimizer**: the signal asked for a rise, but the update made
  did not give it to first order; **step size**: a rise to first order became a fall;
  **unresolved**: the sign that decides is within its error. Causes of declines that are large by
  chance count for more.
- *Best weights*: the largest normalised covariance that some weights give the objective served
  worst (a linear programme; 1 is training on one objective alone; at 0 or below, no weights ask
  for a rise of all). Above 0 it does not say that a decline was avoidable. *Reached*: what the
  training signal gave that objective, below 0 where it asked for a decline.
- *Rank correlation* with geometry: Spearman's, of ranks less their mean over the models of the
  same mixture, since models of one mixture share what they were taught. The p-value permutes
  models within mixtures; Holm's adjustment is over the quantities; *detectable*: the smallest one
  that so many models would show with a probability of 80%."""


def diagnosis_page(
    study: str, tables: Mapping[str, pandas.DataFrame], missing: Mapping[str, str]
) -> str:
    """Return the page.

    Args:
        study: Its name.
        tables: ``law``, ``steps``, ``attribution`` and ``turned`` of ``results.diagnosed``,
            ``models`` and ``relation`` of :mod:`benchmark.leaderboard.frames.geometry`.
        missing: The cells without a diagnosis, and why.
    """
    law = tables["law"]
    made = law[(law["split"] == "step size") & (law["value"] == "1")]
    pooled = law[(law["algorithm"] == "all") & (law["split"] != "all")]
    parts = [
        f"# Diagnosis of the study {escape(study)}",
        "## Does the covariance law hold?",
        f"At the training steps as they were made{_repeated(law)}:",
        _law(made, ["algorithm"]),
        "All algorithms, by step size (in multiples of the step made) and by the share of tokens "
        "that the surrogate's clipping leaves out afterwards:",
        _law(pooled, ["split", "value"]),
        "## Why did objectives fall?",
        _steps(tables["steps"]),
        _attribution(tables["attribution"]),
        _turned(tables["turned"]),
        "## What could weights have asked for?",
        _weights(tables["steps"]),
        "## Does a model's geometry say how much is given up?",
        _relation(tables["models"], tables["relation"]),
        _missing(missing),
        KEY,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _repeated(law: pandas.DataFrame) -> str:
    count = law.loc[law["algorithm"] == "all", "repeated_steps"].max()
    return (
        f" (in *all*, {count:.0f} steps that repeat another cell's are left out)" if count else ""
    )


def _law(frame: pandas.DataFrame, keys: list[str]) -> str:
    ordered = frame.sort_values(keys, kind="stable", key=lambda column: column.map(_order(column)))
    rows = [
        [
            " ".join(escape(str(row[key])) for key in keys),
            KINDS[row["kind"]],
            f"{row['cells']:.0f}",
            *(_estimate(row, name, count) for name, _, count in MEASURES),
        ]
        for row in ordered.to_dict("records")
    ]
    return table(["", "prediction", "cells", *(header for _, header, _ in MEASURES)], rows)


def _order(column: pandas.Series) -> dict[Any, int]:
    return {value: place for place, value in enumerate(column.unique())}


def _estimate(row: Row, name: str, count: str) -> str:
    digits = (lambda v: f"{v:.0%}") if count else (lambda v: number(v, 2))
    of = f" of {row[count]:.0f}" if count else ""
    if pandas.isna(row[name]):
        return number(row[name]) + of
    low, high = (row[f"{name}_{side}"] for side in ("low", "high"))
    bounds = "" if pandas.isna(low) else f" [{digits(low)}, {digits(high)}]"
    return f"{digits(row[name])}{bounds}{of}"


def _steps(steps: pandas.DataFrame) -> str:
    """Return which steps were diagnosed."""
    found = sorted({int(step) for step in steps["step"]})
    return f"Diagnosed steps: {', '.join(map(str, found))}."


def _attribution(frame: pandas.DataFrame) -> str:
    hit = frame[frame["interfered"]]
    if hit.empty:
        return "No objective of a diagnosed run is interfered with."
    rows = [
        [
            f"{escape(row['model'])}, {escape(row['objectives'])}",
            escape(row["algorithm"]),
            str(row["seed"]),
            escape(row["objective"]),
            number(row["delta"], sign="+"),
            NOTHING if pandas.isna(row["coverage"]) else f"{row['coverage']:.0%}",
            escape(row["why"]),
        ]
        for row in hit.to_dict("records")
    ]
    header = ["model, objectives", "algorithm", "seed", "objective", "Δ", "covered", "why"]
    return table(header, rows)


def _turned(turned: pandas.DataFrame) -> str:
    """Return what other steps would have done where the one made turned the sign."""
    if turned.empty or not turned["steps"].iloc[0]:
        return ""
    rows = [
        [line["direction"], *(str(line[name]) for name in ("falls", "rises", "unresolved"))]
        for line in turned.to_dict("records")
    ]
    return (
        f"Objectives fell {turned['steps'].iloc[0]} times although the signal asked for a rise, "
        "since the update lowers them to first order (signs resolved). Steps as long that were not "
        "made, from the same policy, would have had these first-order effects on them:\n\n"
        + table(["step", "falls", "rises", "unresolved"], rows)
        + "\n\nWhat rises with a plain gradient and falls with the optimizer's step is the "
        "optimizer's doing; what rises with a large batch and falls with the step's own, its "
        "sample's; what falls with all four, that of shared parameters and of the loss. The step "
        "made differs from the own batch's without memory by what the optimizer remembers."
    )


def _weights(steps: pandas.DataFrame) -> str:
    columns = {"weights/best": "best weights", "weights/reached": "reached"}
    means = steps.groupby("algorithm", sort=False)[list(columns)].agg(["mean", "min", "max"])
    rows = [
        [escape(str(algorithm)), *(_range(line, column) for column in columns)]
        for algorithm, line in means.iterrows()
    ]
    return table(["algorithm", *(f"{name}: mean (range)" for name in columns.values())], rows)


def _range(line: pandas.Series, column: str) -> str:
    mean, low, high = (number(line[column, part], sign="+") for part in ("mean", "min", "max"))
    return f"{mean} ({low} to {high})"


def _relation(models: pandas.DataFrame, relation: pandas.DataFrame) -> str:
    rows = [
        [
            row["quantity"],
            row["outcome"].replace("_", " "),
            number(row["correlation"], 2, "+"),
            number(row["p"], 3),
            number(row["p_adjusted"], 3),
            number(row["detectable"], 2),
            row["reason"] or row["verdict"],
        ]
        for row in relation.to_dict("records")
    ]
    header = ["quantity", "outcome", "rank correlation", "p", "adjusted", "detectable", "verdict"]
    sizes = models["mixture"].value_counts()
    shared = int(sizes[sizes > 1].sum())
    return (
        f"Over {len(models)} models of {len(sizes)} mixtures, each the mean of its seeds and "
        f"objective sets (none that another contains). Only the {shared} models that share a "
        "mixture with another say anything. Models were chosen, not sampled.\n\n"
        + table(header, rows)
    )


def _missing(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    lines = [f"- {escape(cell)}: {escape(why)}" for cell, why in missing.items()]
    return "## Cells without a diagnosis\n\n" + "\n".join(lines)
