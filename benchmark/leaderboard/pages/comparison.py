"""Two runs side by side: their metrics with paired intervals, and the settings that differ."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas
from scipy import stats

from benchmark.interference.intervals import Interval, paired_interval
from benchmark.leaderboard.pages.markdown import NOTHING, escape, number, table

REWARD = "reward/"
SETTINGS = (
    *("params.", "tags.model", "tags.algorithm", "tags.objectives", "tags.cell_hash"),
    *("tags.git_commit", "tags.environment_hash"),
)

Run = Mapping[str, Any]  # a record of benchmark.tracking.reading.read_run


def comparison_page(
    one: Run, other: Run, completions: tuple[pandas.DataFrame, pandas.DataFrame] | None
) -> str:
    """Return the comparison as Markdown.

    Args:
        one: The first run.
        other: The second.
        completions: Their scored completions of the test prompts, for intervals paired by prompt;
            None where they are gone, which leaves wider intervals from the tracked errors.
    """
    names = [f"{run.get('tags.cell', NOTHING)} ({run['run_id']})" for run in (one, other)]
    paired = {} if completions is None else paired_differences(*completions)
    rows = [_metric_row(name, one, other, paired) for name in _objectives(one, other)]
    rows += [_plain_row(name, one, other) for name in _others(one, other)]
    note = (
        "Intervals are paired over the test prompts that both answered; they say nothing about how "
        "much trainings vary."
        if paired
        else "The completions of one run are gone, or no prompt is in both: intervals are from the "
        "tracked standard errors, unpaired; they say nothing about how much trainings vary."
    )
    settings = [[escape(n), escape(a), escape(b)] for n, a, b in differing_settings(one, other)]
    parts = [
        "# Two runs compared",
        *(f"- {letter}: {escape(name)}" for letter, name in zip("AB", names, strict=True)),
        "",
        table(["metric", "A", "B", "B − A"], rows),
        "",
        note,
        "",
        "## Settings that differ" if settings else "No setting differs.",
    ]
    if settings:
        parts += ["", table(["setting", "A", "B"], settings, numbers=False)]
    return "\n".join(parts) + "\n"


def paired_differences(one: pandas.DataFrame, other: pandas.DataFrame) -> dict[str, Interval]:
    """Return the mean difference of each objective that both scored, other less one, by prompt.

    Args:
        one: Completions with ``problem`` and ``reward/<objective>`` columns.
        other: Those of the other run.
    """
    shared = [c for c in one.columns if c.startswith(REWARD) and c in other.columns]
    means = [frame.groupby("problem")[shared].mean() for frame in (one, other)]
    first, second = means[0].align(means[1], join="inner", axis=0)
    found = {}
    for column in shared if len(first) else ():
        difference = (second[column] - first[column]).to_numpy()
        count = len(difference)
        error = difference.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
        interval = paired_interval(float(difference.mean()), float(error), count)
        found[column.removeprefix(REWARD)] = interval
    return found


def differing_settings(one: Run, other: Run) -> list[tuple[str, str, str]]:
    """Return every setting that the runs do not share, with both values; a dash where absent."""
    names = sorted(n for n in {*one, *other} if n.startswith(SETTINGS))
    pairs = [(n, str(one.get(n, NOTHING)), str(other.get(n, NOTHING))) for n in names]
    return [(n.partition(".")[2], a, b) for n, a, b in pairs if a != b]


def _objectives(one: Run, other: Run) -> list[str]:
    """Return the objectives that both runs were tested on."""
    tested = {n for n in one if n.startswith("metrics.test/") and n.endswith("/initial")} & {*other}
    names = {n.removeprefix("metrics.test/").removesuffix("/initial") for n in tested}
    return sorted(names - {"tokens"})


def _metric_row(name: str, one: Run, other: Run, paired: Mapping[str, Interval]) -> list[str]:
    values = [run.get(f"metrics.test/{name}", np.nan) for run in (one, other)]
    interval = paired.get(name) or _unpaired(name, one, other)
    half = interval.high - interval.estimate
    change = f"{number(interval.estimate, sign='+')} ± {number(half)}"
    return [escape(f"test/{name}"), *map(number, values), change]


def _unpaired(name: str, one: Run, other: Run) -> Interval:
    """Return the difference with a normal interval from both runs' errors."""
    key, error = f"metrics.test/{name}", f"metrics.test/{name}/delta_se"
    difference = other.get(key, np.nan) - one.get(key, np.nan)
    half = stats.norm.ppf(0.975) * np.hypot(one.get(error, np.nan), other.get(error, np.nan))
    return Interval(difference, difference - half, difference + half)


def _others(one: Run, other: Run) -> Iterator[str]:
    """Yield further metrics worth a line: what both tracked of tests, validation and memory."""
    told = {f"metrics.test/{name}" for name in _objectives(one, other)}
    for name in sorted({*one} & {*other}):
        kept = name.startswith(("metrics.test/", "metrics.validation/", "metrics.memory/"))
        inner = name.endswith(("_se", "/initial", "/delta")) and not name.startswith(
            "metrics.test/score"
        )
        if kept and not inner and name not in told and name != "metrics.test/score/delta_se":
            yield name


def _plain_row(name: str, one: Run, other: Run) -> list[str]:
    first, second = one[name], other[name]
    if name == "metrics.test/score/delta":  # the scalarized gain, which has errors of its own
        error = np.hypot(*(run.get("metrics.test/score/delta_se", np.nan) for run in (one, other)))
        half = f" ± {number(stats.norm.ppf(0.975) * error)} (unpaired)"
    else:
        half = " (no interval)"
    difference = number(second - first, sign="+") + half
    return [escape(name.removeprefix("metrics.")), number(first), number(second), difference]
