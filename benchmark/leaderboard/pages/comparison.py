"""Compare two runs: their metrics with paired intervals, and the settings that differ."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas
from scipy import stats

from benchmark.interference.intervals import Interval, paired_interval
from benchmark.leaderboard.pages.markdown import NOTHING, escape, number, table
from benchmark.tracking import names
from benchmark.tracking.names import REWARD, objective_metric, split_metric
from benchmark.tracking.record import RunRecord

TAGS = (  # that count as settings
    names.MODEL,
    names.ALGORITHM,
    names.OBJECTIVES,
    names.CELL_HASH,
    names.GIT_COMMIT,
    names.ENVIRONMENT_HASH,
)
OTHERS = (f"{names.TEST}/", f"{names.VALIDATION}/", names.MEMORY)  # metrics worth a line


def comparison_page(
    one: RunRecord, other: RunRecord, completions: tuple[pandas.DataFrame, pandas.DataFrame] | None
) -> str:
    """Return the comparison as Markdown.

    Args:
        one: The first run.
        other: The second.
        completions: Their scored completions of the test prompts, for intervals paired by prompt;
            None where they are gone, which leaves wider intervals from the tracked errors.
    """
    titles = [f"{run.tags.get(names.CELL, NOTHING)} ({run.id})" for run in (one, other)]
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
        *(f"- {letter}: {escape(name)}" for letter, name in zip("AB", titles, strict=True)),
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


def differing_settings(one: RunRecord, other: RunRecord) -> list[tuple[str, str, str]]:
    """Return every setting that the runs do not share, with both values; a dash where absent."""
    found = []
    for first, second, settings in (
        (one.params, other.params, sorted({*one.params, *other.params})),
        (one.tags, other.tags, sorted(TAGS)),
    ):
        pairs = [(n, first.get(n, NOTHING), second.get(n, NOTHING)) for n in settings]
        found += [(name, a, b) for name, a, b in pairs if a != b]
    return found


def _objectives(one: RunRecord, other: RunRecord) -> list[str]:
    """Return the objectives that both runs were tested on."""
    tested = [split_metric(name) for name in one.metrics.keys() & other.metrics.keys()]
    return sorted(
        objective
        for kind, objective, part in tested
        if (kind, part) == (names.TEST, names.INITIAL) and objective != names.TOKENS
    )


def _metric_row(
    name: str, one: RunRecord, other: RunRecord, paired: Mapping[str, Interval]
) -> list[str]:
    metric = objective_metric(names.TEST, name)
    values = [run.metrics.get(metric, np.nan) for run in (one, other)]
    interval = paired.get(name) or _unpaired(name, one, other)
    half = interval.high - interval.estimate
    change = f"{number(interval.estimate, sign='+')} ± {number(half)}"
    return [escape(metric), *map(number, values), change]


def _unpaired(name: str, one: RunRecord, other: RunRecord) -> Interval:
    """Return the difference with a normal interval from both runs' errors."""
    metric = objective_metric(names.TEST, name)
    difference = other.metrics.get(metric, np.nan) - one.metrics.get(metric, np.nan)
    half = _half_width(name, one, other)
    return Interval(difference, difference - half, difference + half)


def _half_width(name: str, one: RunRecord, other: RunRecord) -> float:
    """Return half the width of the normal interval of a difference between two tested changes."""
    error = objective_metric(names.TEST, name, names.DELTA_SE)
    first, second = (run.metrics.get(error, np.nan) for run in (one, other))
    return float(stats.norm.ppf(0.975) * np.hypot(first, second))


SCORE_DELTA = objective_metric(names.TEST, names.SCORE, names.DELTA)


def _others(one: RunRecord, other: RunRecord) -> Iterator[str]:
    """Yield further metrics worth a line: what both tracked of tests, validation and memory."""
    told = {objective_metric(names.TEST, name) for name in _objectives(one, other)}
    for name in sorted(one.metrics.keys() & other.metrics.keys()):
        whole = split_metric(name)[2] == "" or name == SCORE_DELTA
        if name.startswith(OTHERS) and whole and name not in told:
            yield name


def _plain_row(name: str, one: RunRecord, other: RunRecord) -> list[str]:
    first, second = one.metrics[name], other.metrics[name]
    if name == SCORE_DELTA:  # the scalarized gain, which has errors of its own
        half = f" ± {number(_half_width(names.SCORE, one, other))} (unpaired)"
    else:
        half = " (no interval)"
    difference = number(second - first, sign="+") + half
    return [escape(name), number(first), number(second), difference]
