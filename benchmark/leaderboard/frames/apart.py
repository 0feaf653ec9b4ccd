"""Summarise the seeds of each algorithm by objectives that nothing is trained on."""

import numpy as np
import pandas

from benchmark.interference.intervals import change_half_width
from benchmark.leaderboard.results.evidence import GROUP

COLUMNS = [*(*GROUP, "reference", "objective", "seeds", "interval", "initial", "final", "delta")]
COLUMNS += ["delta_low", "delta_high"]


def summarise_apart(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per model, objective set, algorithm and objective of the evaluation alone.

    Values are means over seeds; the interval of ``delta`` is that of
    :func:`benchmark.interference.intervals.change_half_width`, over ``seeds`` or, where there is
    one, over ``prompts``, as for the objectives that are trained on.
    """
    if rows.empty:
        return pandas.DataFrame(columns=COLUMNS)
    keys = [*GROUP, "reference", "objective"]
    groups = rows.assign(squared=rows["delta_se"] ** 2).groupby(keys, sort=False)
    found = groups[["initial", "final", "delta", "prompts"]].mean()
    found["seeds"] = groups.size()
    known = groups["squared"].count() == found["seeds"]
    error = np.sqrt(groups["squared"].mean().where(known))
    half = change_half_width(groups["delta"].std(), error, found["seeds"], found["prompts"])
    found["delta_low"], found["delta_high"] = found["delta"] - half, found["delta"] + half
    found["interval"] = np.where(found["seeds"] == 1, "prompts", "seeds")
    return found.reset_index()[COLUMNS]
