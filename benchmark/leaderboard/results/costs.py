"""Tabulate what results cost: seconds by stage, tokens, backward passes, memory.

Measured, so unlike the other tables these differ between two runs of one study.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.tracking import names
from benchmark.tracking.record import Kind, RunRecord

STAGES = ("generation", "reward", "update")
AXES = ("model", "objectives", "algorithm", "reference", "seed")
MEASURES = [
    "steps",
    "seconds",
    *(f"{stage}_seconds" for stage in STAGES),
    "other_seconds",
    "training_tokens",
    "tokens_per_second",
    "backward_passes",
    "peak_memory_mb",
]
RUN_COLUMNS = ["study", "estimator", *AXES, "hardware", *MEASURES]


def wanted(kind: Kind, name: str) -> bool:
    """Say whether costs read this of a run."""
    whole = (names.TRAIN_TOKENS, names.PEAK_MEMORY)
    return kind == "metrics" and (name in whole or name.startswith((names.TIME, names.GRADIENT)))


def curves(run: RunRecord) -> list[str]:
    """Return the metrics of a run that hold its seconds, step by step."""
    return sorted(name for name in run.metrics if name.startswith(names.TIME))


def run_costs(
    study: str,
    expected: Mapping[str, ExpectedCell],
    counted: Mapping[str, RunRecord],
    totals: Mapping[str, Mapping[str, float]],
) -> pandas.DataFrame:
    """Return a row per run that counts: its axes, ``steps``, seconds of training and by stage, ….

    ``seconds`` is the sum over all stages; ``other_seconds`` are those of stages other than
    generation, reward and update. NaN where a run did not track it. ``totals`` are seconds summed
    over the steps of each run, by metric.
    """
    rows = []
    for name, run in counted.items():
        cell, seconds = expected[name], totals.get(run.id, {})
        spent = {stage: seconds.get(f"{names.TIME}{stage}", math.nan) for stage in STAGES}
        total = math.fsum(seconds.values()) if seconds else math.nan
        tokens = run.metrics.get(names.TRAIN_TOKENS, math.nan)
        row = {axis: getattr(cell, axis) for axis in AXES} | {
            "study": study,
            "estimator": run.params.get(names.ESTIMATOR, ""),
            "hardware": hardware(run),
            "steps": float(run.params.get(names.STEPS, math.nan)),
            "seconds": total,
            **{f"{stage}_seconds": value for stage, value in spent.items()},
            "other_seconds": max(0.0, total - math.fsum(spent.values())) if seconds else math.nan,
            "training_tokens": tokens,
            "tokens_per_second": tokens / total if total > 0 else math.nan,
            "backward_passes": backward_passes(run, cell.names),
            "peak_memory_mb": run.metrics.get(names.PEAK_MEMORY, math.nan),
        }
        rows.append(row)
    return pandas.DataFrame(rows, columns=RUN_COLUMNS)


def hardware(run: RunRecord) -> str:
    """Return the run's GPUs, or its processor."""
    gpus = run.params.get(names.GPUS, "none")
    return run.params.get(names.CPU, "") if gpus == "none" else gpus


def backward_passes(run: RunRecord, objectives: Sequence[str]) -> float:
    """Return how many backward passes through the policy a run made for each of its micro-batches.

    Counted from what is tracked: one per update, or, where an algorithm takes gradients by
    objective, one per objective; where it takes them on a part of the parameters, one through the
    whole policy and one per objective that ends at that part.
    """
    try:
        updates = math.prod(
            int(run.params[key]) for key in (names.STEPS, names.PASSES, names.MINIBATCHES)
        )
    except KeyError:
        return math.nan
    if not any(name.startswith(names.GRADIENT) for name in run.metrics):
        return float(updates)
    everything = run.params.get(names.GRAMIAN_PARAMETERS, "all") == "all"
    return float(updates * (len(objectives) + (0 if everything else 1)))


def summarise_costs(costs: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per model, objective set and algorithm: means over ``runs`` runs.

    ``seconds_low`` and ``seconds_high`` are the least and the most that a run took.
    """
    keys = ["model", "objectives", "algorithm"]
    if costs.empty:
        columns = [*keys, "reference", "hardware", "runs", *MEASURES, "seconds_low", "seconds_high"]
        return pandas.DataFrame(columns=columns)
    groups = costs.groupby(keys, sort=False)
    frame = groups[["reference"]].first()
    frame["hardware"] = groups["hardware"].agg(lambda found: " + ".join(sorted(set(found))))
    frame["runs"] = groups.size()
    frame = frame.join(groups[MEASURES].mean())
    frame["seconds_low"], frame["seconds_high"] = groups["seconds"].min(), groups["seconds"].max()
    return frame.reset_index().replace({np.inf: np.nan})
