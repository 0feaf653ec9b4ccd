"""Measure how much each algorithm's interference varies over models."""

import numpy as np
import pandas
from scipy import stats

COLUMNS = [
    *("objectives", "algorithm", "reference", "models", "models_interfered"),
    *("models_low", "models_high", "patterns", "worst_change"),
    *("worst_change_min", "worst_change_max", "spread", "spread_low", "spread_high", "given_up"),
]


def model_dependence(summary: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per objective set and algorithm, over the models it was trained on.

    ``models``, their number; ``models_interfered``, of those with an objective interfered with, and
    the Clopper-Pearson interval of their share, ``models_low`` and ``…_high``;
    ``patterns``, how many different sets of objectives were given up; ``worst_change``, its mean,
    ``…_min`` and ``…_max`` over models; ``spread``, its standard deviation over models with the
    95% interval for normal values (NaN with one model); ``given_up``, the objectives given up on
    each model, in words. ``summary`` is that of
    :func:`benchmark.leaderboard.frames.summary.summarise`.
    """
    rows = []
    keys = ["objectives", "algorithm"]
    for (objectives, algorithm), group in summary.groupby(keys, sort=False):
        models = group.drop_duplicates("model")
        given_up = models["interfered_objectives"]
        fell, count = int((given_up != "").sum()), len(models)
        share = stats.binomtest(fell, count).proportion_ci(method="exact")
        worst = models["worst_change"]
        spread, low, high = _spread(worst.to_numpy())
        rows.append(
            [
                *(objectives, algorithm, bool(models["reference"].iloc[0]), count, fell),
                *(share.low, share.high, given_up.nunique(), worst.mean()),
                *(worst.min(), worst.max(), spread, low, high),
                "; ".join(
                    f"{model}: {names or 'none'}"
                    for model, names in zip(models["model"], given_up, strict=True)
                ),
            ]
        )
    return pandas.DataFrame(rows, columns=COLUMNS)


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Return a standard deviation with the chi-squared interval of normal values."""
    freedom = len(values) - 1
    if freedom < 1:
        return np.nan, np.nan, np.nan
    spread = float(np.std(values, ddof=1))
    low, high = (spread * np.sqrt(freedom / stats.chi2.ppf((0.975, 0.025), freedom))).tolist()
    return spread, low, high
