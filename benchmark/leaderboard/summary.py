"""One algorithm on one model and objective set: the runs of its seeds, summed up."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from benchmark.interference import interfered_with, normalised_gain, worst_change
from benchmark.statistics import Interval, mean_interval, paired_interval

PLACE = ["model", "objectives"]


class Estimates(NamedTuple):
    """Changes with their 95% intervals, and which objectives are interfered with by them."""

    kind: str
    deltas: list[Interval]
    score: Interval
    interfered: NDArray[np.bool_]


def summarise(cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per model, objective set, algorithm and objective, from a table's ``cells``.

    Columns: ``seeds``; ``interval``, what the intervals are over: ``seeds`` (Student, two seeds or
    more) or ``prompts`` (paired, one seed, silent about the variation between trainings);
    ``initial``, ``final``, ``delta``, ``delta_low``, ``delta_high``, ``interfered``;
    ``normalised_gain``, the share of the gain that training on the objective alone reaches; and,
    the same for all objectives of a group, ``interfered_objectives``, ``worst_change``,
    ``score_delta``, ``score_low``, ``score_high``, ``hypervolume_gain``, ``tokens``,
    ``tokens_initial``, ``environment``. Values are means over the seeds. Models and objective sets
    keep their order; in each, competitors stand before references.
    """
    groups = cells.groupby([*PLACE, "algorithm"], sort=False)
    frame = pandas.concat([_summary(group) for _, group in groups])
    frame["normalised_gain"] = _normalised(frame)
    frame["place"] = frame.groupby(PLACE, sort=False).ngroup()
    frame = frame.sort_values(["place", "reference"], kind="stable")
    return frame.drop(columns="place").reset_index(drop=True)


def trained_on(algorithm: str, objectives: Iterable[str]) -> str | None:
    """Return the objective that a reference's id ends in: ``single-clarity`` -> ``clarity``."""
    matching = [n for n in objectives if algorithm == n or algorithm.endswith(f"-{n}")]
    return max(matching, key=len, default=None)


def environments(group: pandas.DataFrame) -> str:
    """Return the hashes of the environments that a group's runs come from."""
    return " + ".join(sorted(group["environment"].unique()))


def _summary(group: pandas.DataFrame) -> pandas.DataFrame:
    found = _over_prompts(group) if group["seed"].nunique() == 1 else _over_seeds(group)
    averaged = group.groupby("objective", sort=False)
    frame = averaged[[*PLACE, "algorithm", "reference"]].first().reset_index()
    frame = frame[[*PLACE, "algorithm", "reference", "objective"]].assign(
        seeds=group["seed"].nunique(),
        interval=found.kind,
        initial=averaged["initial"].mean().to_numpy(),
        final=averaged["final"].mean().to_numpy(),
        delta=[interval.estimate for interval in found.deltas],
        delta_low=[interval.low for interval in found.deltas],
        delta_high=[interval.high for interval in found.deltas],
        interfered=found.interfered,
    )
    return frame.assign(
        interfered_objectives=", ".join(frame.loc[frame["interfered"], "objective"]),
        worst_change=float(worst_change(frame["delta"])),
        score_delta=found.score.estimate,
        score_low=found.score.low,
        score_high=found.score.high,
        hypervolume_gain=group["hypervolume_gain"].mean(),
        tokens=group["tokens"].mean(),
        tokens_initial=group["tokens_initial"].mean(),
        environment=environments(group),
    )


def _over_prompts(group: pandas.DataFrame) -> Estimates:
    """Estimate from the one run there is."""
    prompts = int(group["prompts"].iloc[0])
    changes = zip(group["delta"], group["delta_se"], strict=True)
    score, score_error = group[["score_delta", "score_delta_se"]].iloc[0]
    return Estimates(
        "prompts",
        [paired_interval(delta, error, prompts) for delta, error in changes],
        paired_interval(score, score_error, prompts),
        group["interfered"].to_numpy(),
    )


def _over_seeds(group: pandas.DataFrame) -> Estimates:
    """Estimate from several runs, of which each counts as one observation."""
    wide = group.pivot_table(index="seed", columns="objective", values="delta", sort=False)
    deltas, scores = wide.to_numpy(), group.groupby("seed")["score_delta"].first()
    score, count = mean_interval(scores), len(deltas)
    interfered = interfered_with(
        deltas.mean(axis=0)[None],
        deltas.std(axis=0, ddof=1)[None] / np.sqrt(count),
        [score.estimate],
        [scores.std(ddof=1) / np.sqrt(count)],
        count - 1,
    )
    return Estimates("seeds", [mean_interval(column) for column in deltas.T], score, interfered[0])


def _normalised(frame: pandas.DataFrame) -> NDArray[np.float64]:
    """Return each row's share of the gain that training on its objective alone reaches."""
    names = list(frame["objective"].unique())
    own = frame["algorithm"].map(lambda algorithm: trained_on(algorithm, names))
    keys = [*PLACE, "objective"]
    alone = frame[frame["reference"] & (own == frame["objective"])].drop_duplicates(keys)
    single = frame[keys].merge(alone[[*keys, "final"]], on=keys, how="left")["final"]
    return normalised_gain(frame["delta"], frame["initial"], single)
