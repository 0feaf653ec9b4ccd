"""Write a leaderboard as one Markdown page."""

from collections.abc import Sequence

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.markdown import escape, table
from benchmark.leaderboard.pages.notes import interval_notes
from benchmark.leaderboard.pages.sheet import Cell, Flag, Sheet
from benchmark.leaderboard.pages.sheets import BY_MODEL
from benchmark.leaderboard.results.table import Table

MARK = "▼"  # an objective interfered with
KEY = f"""\
## How to read this

- An objective's column gives its value on the test prompts after training, the change Δ since the
  initial policy, and Δ's 95% interval. **Bold and {MARK}**: *interfered with*, that is, Δ is below
  0 by its interval while the scalarized score (the weighted mean of the objectives) rose by its
  own.
- *Worst gain*, the primary metric: of a run, the least over objectives of Δ divided by what
  training on that objective alone gains; of an algorithm, the interquartile mean over its runs. 1
  loses nothing to the other objectives, 0 is what not moving gives, below 0 something is given up.
  *Mean worst gain*: the plain mean over the same runs, in which the worst quarter counts too.
- *Rank*: by worst gain; going down, an algorithm shares a rank as long as the interval of the
  difference from the first that has it holds 0. Rank 1 is kept for a *gain without loss*: a worst
  gain above 0 by its interval, and no lossy run. Who shows *no gain*, *collapsed* or is
  *incomplete* has no rank and is the best of nothing.
- *Succeeded*: models and objective sets where the scalarized score rose by its interval.
  *Fell*, *rose*: objectives that did by their intervals, whatever the score did. *Lossy runs*: with
  an objective that fell by its interval over the prompts of that run. *Collapsed*: every objective
  fell, or completions came to fill the limit.
- *Interference rate*: share of objectives interfered with. *Severity*: mean loss of an objective
  relative to its initial value, gains counting as 0. Both: each model and objective set counts the
  same. *Mean rank*: by final value among the algorithms; it depends on who is entered.
- *Δm %*: mean change relative to the initial value, higher is better.
- *Better than linear*: share of trainings whose worst objective changed for the better compared
  with `linear` on the same seed, model and objective set; a tie counts one half.
- Behind ± and in parentheses: 95% intervals. Those of interference rates are over models (Korn and
  Graubard), those of *better than linear* over runs (Clopper and Pearson), the others over seeds
  and test prompts, or over the prompts alone where a single run was trained.
- *Spread over models*: standard deviation of an algorithm's worst Δ between models, with its
  interval; *patterns*: how many different sets of objectives it gave up.
- *References* train one objective alone; they are not ranked, and their scalarized gain
  is that objective's."""


def page(frames: Frames, sheets: Sequence[Sheet]) -> str:
    """Return the page of all tables but the costs, which differ from run to run of a study."""
    results = frames.results
    label = f"**Mixed runs: {escape(results.mixture)}.**" if results.mixture else ""
    parts = [
        f"# Leaderboard of the study {escape(results.study)}",
        f"A selection: {escape(results.selection)}." if results.selection else "",
        f"{len(results.origins)} of {len(results.expected)} cells count"
        + ("; the others are listed below." if results.missing else "."),
        *(escape(note) for note in results.notes),
    ]
    for sheet in sheets:
        if sheet.name == BY_MODEL:
            continue
        if sheet.kind != "matrix":  # which stands in its model's section
            parts += [f"## {escape(sheet.caption)}", label]
        parts += [escape(sheet.lead), sheet_text(sheet), escape(sheet.note)]
    parts += [_missing(results), KEY, " ".join(interval_notes(frames.summary))]
    return "\n\n".join(part for part in parts if part) + "\n"


def cost_page(study: str, costs: Sheet) -> str:
    """Return the page of the costs."""
    return (
        f"# Cost of the study {escape(study)}\n\n{sheet_text(costs)}"
        "\n\nMeans over runs, seconds with the least and the most of them, on whatever hardware "
        "they ran; unlike the other tables these differ when a study is run again. Backward "
        "passes: through the policy, per micro-batch, over the whole training.\n"
    )


def sheet_text(sheet: Sheet) -> str:
    """Return a table in Markdown."""
    rows = [[_cell(cell) for cell in row] for row in sheet.rows]
    return table([escape(name) for name in sheet.header], rows)


def _cell(cell: Cell) -> str:
    text = escape(cell.words)
    return f"**{text} {MARK}**" if cell.flag == Flag.INTERFERED else text


def _missing(results: Table) -> str:
    if not results.missing:
        return ""
    lines = [f"- {escape(cell)}: {escape(why)}" for cell, why in results.missing]
    return "## Missing cells\n\n" + "\n".join(lines)
