"""What results cost: seconds by stage, tokens, backward passes, memory.

Measured, so unlike the other tables these differ between two runs of one study.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas

from benchmark.leaderboard.results.cells import ExpectedCell

SECONDS = "time/"
STAGES = ("generation", "reward", "update")
GRADIENTS = "gradient/"  # tracked by whoever takes gradients by objective
AXES = ("model", "objectives", "algorithm", "reference", "seed")
RUN_COLUMNS = [
    *("study", "estimator", *AXES, "hardware"),
    *("steps", "seconds", *(f"{stage}_seconds" for stage in STAGES), "other_seconds"),
    *("training_tokens", "tokens_per_second", "backward_passes", "peak_memory_mb"),
]
MEASURES = RUN_COLUMNS[RUN_COLUMNS.index("steps") :]


def wanted(name: str) -> bool:
    """Say whether costs read this of a run, as ``reading.read_runs`` asks."""
    read = ("metrics.train/tokens", "metrics.memory/peak_mb")
    return name in read or name.startswith((f"metrics.{SECONDS}", f"metrics.{GRADIENTS}"))


def curves(run: Mapping[str, Any]) -> list[str]:
    """Return the metrics of a run that hold its seconds, step by step."""
    prefix = f"metrics.{SECONDS}"
    return sorted(name.removeprefix("metrics.") for name in run if name.startswith(prefix))


def run_costs(
    study: str,
    expected: Mapping[str, ExpectedCell],
    counted: Mapping[str, Mapping[str, Any]],
    totals: Mapping[str, Mapping[str, float]],
) -> pandas.DataFrame:
    """Return a row per run that counts: its axes, ``steps``, seconds of training and by stage, ….

    ``seconds`` is the sum over the stages, whatever they are called; ``other_seconds`` are those
    of stages beside generation, reward and update. NaN where a run did not track it.

    Args:
        study: The study's name.
        expected: The study's cells.
        counted: The run of each, as a record.
        totals: Seconds summed over the steps of each run, by metric.
    """
    rows = []
    for name, run in counted.items():
        cell, seconds = expected[name], totals.get(run["run_id"], {})
        spent = {stage: seconds.get(f"{SECONDS}{stage}", math.nan) for stage in STAGES}
        total = math.fsum(seconds.values()) if seconds else math.nan
        tokens = run.get("metrics.train/tokens", math.nan)
        row = {axis: getattr(cell, axis) for axis in AXES} | {
            "study": study,
            "estimator": run.get("params.training.estimator", ""),
            "hardware": hardware(run),
            "steps": float(run.get("params.training.steps", math.nan)),
            "seconds": total,
            **{f"{stage}_seconds": value for stage, value in spent.items()},
            "other_seconds": max(0.0, total - math.fsum(spent.values())) if seconds else math.nan,
            "training_tokens": tokens,
            "tokens_per_second": tokens / total if total > 0 else math.nan,
            "backward_passes": backward_passes(run, cell.names),
            "peak_memory_mb": run.get("metrics.memory/peak_mb", math.nan),
        }
        rows.append(row)
    return pandas.DataFrame(rows, columns=RUN_COLUMNS)


def hardware(run: Mapping[str, Any]) -> str:
    """Return the run's GPUs, or its processor."""
    gpus = run.get("params.hardware.gpus", "none")
    return str(run.get("params.hardware.cpu", "") if gpus == "none" else gpus)


def backward_passes(run: Mapping[str, Any], names: Sequence[str]) -> float:
    """Return how often a run went backward through the policy for each of its micro-batches.

    Counted from what is tracked: one for each update, and for an algorithm that takes gradients by
    objective one for each objective instead; where it takes them on a part of the parameters, one
    through the whole policy and one an objective that ends at that part.
    """
    try:
        updates = math.prod(
            int(run[f"params.training.{key}"]) for key in ("steps", "passes", "minibatches")
        )
    except KeyError:
        return math.nan
    if not any(key.startswith(f"metrics.{GRADIENTS}") for key in run):
        return float(updates)
    everything = run.get("params.training.gramian_parameters", "all") == "all"
    return float(updates * (len(names) + (0 if everything else 1)))


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
