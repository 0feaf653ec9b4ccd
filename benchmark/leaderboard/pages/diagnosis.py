"""Write what the diagnosis of a study found as one Markdown page."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas

from benchmark.diagnosis.samples import KINDS
from benchmark.leaderboard.pages.markdown import escape, number, table

Row = Mapping[Hashable, Any]
MEASURES = ("sign_agreement", "resolved_agreement", "slope", "rank_correlation")
HEADER = ["records", "sign agreement", "of the resolved", "slope", "rank correlation"]
KEY = """\
## How to read this

- A *record* is one objective at one diagnosed training step of one run. Its *realised change* was
  measured on held-out prompts with common random numbers; the *prediction* comes from other
  prompts. Brackets hold 95% bootstrap intervals over prompts.
- *Derivative along the update*: exact to first order for the update that was made. The
  *covariances* are the law's; their common scale is set so that the training signal itself is
  predicted right to first order, and a slope of 1 says that objectives follow in proportion.
- *Sign agreement*: share of records whose change has the sign predicted; *of the resolved*: of
  those in which both differ from 0 by more than their sampling error.
- *Why an objective fell*: its decline at the diagnosed steps, by cause. **weights**: the training
  signal asked for it, though other weights would have let every objective rise to first order;
  **trade-off**: it asked for it and no weights would have; **clipping**: the surrogate's clipping
  turned the covariance; **update**: the signal asked for a rise, but the update made did not give
  it to first order; **step size**: a rise to first order became a fall.
- *Avoidable*: the largest normalised covariance with the score that some weights give the objective
  served worst (a linear programme; 1 is training on one objective alone, 0 a perfect trade-off);
  *reached*: what the training signal gave it, below 0 where it asked for a decline.
- *Rank correlation*: Spearman's, over models, with a bootstrap interval, a permutation p-value and
  Holm's adjustment over the quantities; *detectable*: the smallest one that so many models would
  show with a probability of 80%."""


def diagnosis_page(
    study: str, tables: Mapping[str, pandas.DataFrame], missing: Mapping[str, str]
) -> str:
    """Return the page.

    Args:
        study: Its name.
        tables: ``law``, ``steps`` and ``attribution`` of ``results.diagnosed``,
            ``models`` and ``relation`` of :mod:`benchmark.leaderboard.frames.geometry`.
        missing: The cells without a diagnosis, and why.
    """
    law = tables["law"]
    made = law[(law["split"] == "step size") & (law["value"] == "1")]
    pooled = law[(law["algorithm"] == "all") & (law["split"] != "all")]
    parts = [
        f"# Diagnosis of the study {escape(study)}",
        "## Does the covariance law hold?",
        "At the training steps as they were made:",
        _law(made, ["algorithm"]),
        "All algorithms, by step size (in multiples of the step made) and by the share of tokens "
        "that the surrogate's clipping leaves out afterwards:",
        _law(pooled, ["split", "value"]),
        "## Why did objectives fall?",
        _attribution(tables["attribution"]),
        "## Could weights have avoided it?",
        _avoidable(tables["steps"]),
        "## Does a model's geometry say how much is given up?",
        _relation(tables["models"], tables["relation"]),
        _missing(missing),
        KEY,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _law(frame: pandas.DataFrame, keys: list[str]) -> str:
    ordered = frame.sort_values(keys, kind="stable", key=lambda column: column.map(_order(column)))
    rows = [
        [
            " ".join(escape(str(row[key])) for key in keys),
            KINDS[row["kind"]],
            f"{row['records']:.0f}",
            *(_estimate(row, name) for name in MEASURES),
        ]
        for row in ordered.to_dict("records")
    ]
    return table(["", "prediction", *HEADER], rows)


def _order(column: pandas.Series) -> dict[Any, int]:
    return {value: place for place, value in enumerate(column.unique())}


def _estimate(row: Row, name: str) -> str:
    share = name.endswith("agreement")
    digits = (lambda v: f"{v:.0%}") if share else (lambda v: number(v, 2))
    if pandas.isna(row[name]):
        return number(row[name])
    text = f"{digits(row[name])} [{digits(row[f'{name}_low'])}, {digits(row[f'{name}_high'])}]"
    return f"{text} of {row['resolved']:.0f}" if name == "resolved_agreement" else text


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
            escape(row["why"]),
        ]
        for row in hit.to_dict("records")
    ]
    return table(["model, objectives", "algorithm", "seed", "objective", "Δ", "why"], rows)


def _avoidable(steps: pandas.DataFrame) -> str:
    columns = {"avoidable/best": "avoidable", "avoidable/reached": "reached"}
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
            _correlation(row),
            number(row["p"], 3),
            number(row["p_adjusted"], 3),
            number(row["detectable"], 2),
            row["reason"] or row["verdict"],
        ]
        for row in relation.to_dict("records")
    ]
    header = ["quantity", "outcome", "rank correlation", "p", "adjusted", "detectable", "verdict"]
    return (
        f"Over {len(models)} models, each the mean of its seeds and objective sets. Models were "
        "chosen, not sampled: an interval over them does not cover that choice.\n\n"
        + table(header, rows)
    )


def _correlation(row: Row) -> str:
    if pandas.isna(row["correlation"]):
        return number(row["correlation"])
    bounds = f"[{number(row['low'], 2, '+')}, {number(row['high'], 2, '+')}]"
    return f"{number(row['correlation'], 2, '+')} {bounds}"


def _missing(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    lines = [f"- {escape(cell)}: {escape(why)}" for cell, why in missing.items()]
    return "## Cells without a diagnosis\n\n" + "\n".join(lines)
