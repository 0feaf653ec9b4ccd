"""A study's leaderboard as one Markdown page."""

from benchmark.leaderboard.frames.all import Frames, interval_notes
from benchmark.leaderboard.frames.summary import PLACE
from benchmark.leaderboard.pages.markdown import escape, table
from benchmark.leaderboard.pages.sheet import Sheet, TextCell
from benchmark.leaderboard.pages.sheets import (
    breakdown_sheets,
    cost_sheet,
    dependence_sheet,
    group_sheet,
    matrix_sheet,
    overall_sheet,
    rank_note,
    weights_line,
)
from benchmark.leaderboard.results.cells import preference_weights
from benchmark.leaderboard.results.table import Table

MARK = "▼"  # an objective interfered with
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
- *Better than linear*: share of trainings whose worst objective changed for the better compared
  with `linear` on the same seed, model and objective set; a tie counts one half.
- In parentheses: 95% intervals. Those of rates and of *better than linear* are over runs (Clopper
  and Pearson), the others over seeds, or over test prompts where only one was trained.
- *Spread over models*: standard deviation of an algorithm's worst Δ between models, with its
  interval; *patterns*: how many different sets of objectives it gave up.
- *References* train one objective alone; they are not ranked, and their scalarized gain
  is that objective's."""

AGAINST = (
    "Differences of the worst objective's change on the same seeds, each model and objective set "
    "counting the same. \\*: below 0.05 after Holm's correction for the number of algorithms. "
    "*Detectable*: the smallest true difference that 80% of studies with so many seeds would show."
)


def page(frames: Frames) -> str:
    """Return the page of all tables but the costs, which differ from run to run of a study."""
    results = frames.results
    label = f"**Mixed runs: {escape(results.mixture)}.**" if results.mixture else ""
    parts = [
        f"# Leaderboard of the study {escape(results.study)}",
        f"A selection: {escape(results.selection)}." if results.selection else "",
        f"{len(results.origins)} of {len(results.expected)} cells count"
        + ("; the others are listed below." if results.missing else "."),
        *(escape(note) for note in results.notes),
        "## Overall",
        label,
        _sheet(overall_sheet(frames.overall.table, "overall", "Overall")),
        rank_note(frames.overall),
    ]
    if tested := frames.tested:
        parts += [f"## {escape(tested.caption)}", label, _sheet(tested), AGAINST]
    for sheet in breakdown_sheets(frames.breakdown):
        if sheet.name != "by-model":  # each model has its own section
            parts += [f"## {escape(sheet.caption)}", label, _sheet(sheet)]
    if frames.summary["model"].nunique() > 1:
        parts += ["## Dependence on the model", label, _sheet(dependence_sheet(frames.dependence))]
    matrices = dict(iter(frames.matrices.groupby(PLACE, sort=False)))
    for place, group in frames.summary.groupby(PLACE, sort=False):
        model, objectives = map(str, place)
        parts += [f"## {escape(model)}, {escape(objectives)}", label]
        weights = preference_weights(results.expected.values(), model, objectives)
        parts += [escape(weights_line(weights)) if weights else ""]
        parts += [_sheet(group_sheet(group, frames.attributed))]
        if place in matrices:
            parts += ["Change of each objective when training on one alone:"]
            parts += [_sheet(matrix_sheet(matrices[place]))]
    parts += [_missing(results), KEY, " ".join(interval_notes(frames.summary))]
    return "\n\n".join(part for part in parts if part) + "\n"


def cost_page(frames: Frames) -> str:
    """Return the page of the costs."""
    return (
        f"# Cost of the study {escape(frames.results.study)}\n\n{_sheet(cost_sheet(frames.costs))}"
        "\n\nMeans over runs, seconds with the least and the most of them, by whatever hardware "
        "they ran on; unlike the other tables these differ when a study is run again. Backward "
        "passes: through the policy, per micro-batch, over the whole training.\n"
    )


def _sheet(sheet: Sheet) -> str:
    rows = [[_cell(cell) for cell in row] for row in sheet.rows]
    return table([escape(name) for name in sheet.header], rows)


def _cell(cell: TextCell) -> str:
    return f"**{escape(cell.text)} {MARK}**" if cell.interfered else escape(cell.text)


def _missing(results: Table) -> str:
    if not results.missing:
        return ""
    lines = [f"- {escape(cell)}: {escape(why)}" for cell, why in results.missing]
    return "## Missing cells\n\n" + "\n".join(lines)
