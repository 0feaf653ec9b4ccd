"""A study's leaderboard as one Markdown page."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas

from benchmark.leaderboard.markdown import escape, number, table
from benchmark.leaderboard.overall import Overall
from benchmark.leaderboard.summary import PLACE
from benchmark.leaderboard.table import Table

Row = Mapping[Hashable, Any]  # of a data frame
MARK = "▼"  # an objective interfered with
FEW_SEEDS = 5  # Student's intervals over fewer are wide, and hide much
KEY = f"""\
## How to read this

- An objective's column gives its value on the test prompts after training, the change Δ since the
  initial policy, and Δ's 95% interval. **Bold and {MARK}**: *interfered with*, that is, Δ is below
  0 by its interval while the scalarized score (the weighted mean of the objectives) rose by its
  own.
- *Interference rate*: share of (run, objective) pairs interfered with. *Severity*: mean loss of an
  objective relative to its initial value, gains counting as 0. *Mean rank*: by final value among
  the algorithms, over the objectives of all models; 1 is best.
- *Hypervolume gain*: volume between the initial and the final point, 0 if any objective fell.
- *References* train one objective alone; they are not ranked."""


def page(
    results: Table, summary: pandas.DataFrame, overall: Overall, matrices: pandas.DataFrame
) -> str:
    """Return the page: overall table, tables per model and objective set, missing cells, key.

    Args:
        results: The study's results.
        summary: :func:`benchmark.leaderboard.summary.summarise` of their cells.
        overall: :func:`benchmark.leaderboard.overall.compare` of them.
        matrices: :func:`benchmark.leaderboard.overall.interference_matrices` of them.
    """
    label = f"**Mixed runs: {escape(results.mixture)}.**" if results.mixture else ""
    parts = [
        f"# Leaderboard of the study {escape(results.study)}",
        f"{len(results.origins)} of {len(results.expected)} cells count"
        + ("; the others are listed below." if results.missing else "."),
        "## Overall",
        label,
        _overall(overall.table),
        _rank_note(overall),
    ]
    for place, group in summary.groupby(PLACE, sort=False):
        model, objectives = map(str, place)
        parts += [f"## {escape(model)}, {escape(objectives)}", label]
        parts += [_weights(results, model, objectives), _group(group)]
        here = matrices[(matrices["model"] == model) & (matrices["objectives"] == objectives)]
        if not here.empty:
            parts += ["Change of each objective when training on one alone:", _matrix(here)]
    parts += [_missing(results), KEY, _interval_note(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _overall(frame: pandas.DataFrame) -> str:
    rows = [
        [
            _algorithm(row),
            number(row["mean_rank"], 2),
            f"{row['interference_rate']:.1%}",
            number(row["severity"]),
            str(row["runs"]),
        ]
        for row in frame.to_dict("records")
    ]
    return table(["algorithm", "mean rank", "interference rate", "severity", "runs"], rows)


def _rank_note(overall: Overall) -> str:
    if overall.ranked == overall.columns:
        return ""
    return (
        f"Ranks are over the {overall.ranked} of {overall.columns} objectives of models that every "
        "algorithm has a result for."
    )


def _weights(results: Table, model: str, objectives: str) -> str:
    place = (model, objectives)
    cell = next(c for c in results.expected.values() if (c.model, c.objectives) == place)
    pairs = zip(cell.names, cell.weights, strict=True)
    return "Weights: " + ", ".join(f"{escape(name)} {weight:.3g}" for name, weight in pairs) + "."


def _group(group: pandas.DataFrame) -> str:
    names = [escape(name) for name in group["objective"].unique()]
    after = ["worst Δ", "scalarized gain", "hypervolume gain", "tokens", "seeds"]
    rows = [_group_row(rows) for _, rows in group.groupby("algorithm", sort=False)]
    return table(["algorithm", *names, *after], rows)


def _group_row(frame: pandas.DataFrame) -> list[str]:
    """Return the cells of one algorithm, given its rows, one an objective."""
    rows = frame.to_dict("records")
    shared = rows[0]
    return [
        _algorithm(shared),
        *(_objective(row) for row in rows),
        number(shared["worst_change"], sign="+"),
        _change(shared["score_delta"], shared["score_high"]),
        number(shared["hypervolume_gain"], 5),
        number(shared["tokens"], 1),
        str(shared["seeds"]),
    ]


def _algorithm(row: Row) -> str:
    return escape(row["algorithm"]) + (" (reference)" if row["reference"] else "")


def _objective(row: Row) -> str:
    text = f"{number(row['final'])}, {_change(row['delta'], row['delta_high'])}"
    return f"**{text} {MARK}**" if row["interfered"] else text


def _change(delta: float, high: float) -> str:
    """Return a change and half the width of its interval, which is symmetric."""
    return f"{number(delta, sign='+')} ± {number(high - delta)}"


def _matrix(rows: pandas.DataFrame) -> str:
    wide = rows.pivot_table("change", "trained_on", "objective", sort=False)
    cells = [
        [f"on {escape(str(i))}", *(number(value, sign="+") for value in line)]
        for i, line in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return table(["trained", *(escape(str(name)) for name in wide.columns)], cells)


def _missing(results: Table) -> str:
    if not results.missing:
        return ""
    lines = [f"- {escape(cell)}: {escape(why)}" for cell, why in results.missing]
    return "## Missing cells\n\n" + "\n".join(lines)


def _interval_note(summary: pandas.DataFrame) -> str:
    return " ".join(_interval_notes(summary))


def _interval_notes(summary: pandas.DataFrame) -> Iterator[str]:
    if "prompts" in set(summary["interval"]):
        yield (
            "Intervals of rows with one seed are over test prompts, paired with the initial "
            "policy; they say nothing about how much trainings vary."
        )
    several = summary.loc[summary["interval"] == "seeds", "seeds"]
    if not several.empty:
        yield "Intervals of rows with several seeds are Student's over the seeds."
    if several.empty or several.min() < FEW_SEEDS:
        yield f"Take {FEW_SEEDS} seeds or more for conclusions about an algorithm."
