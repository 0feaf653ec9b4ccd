"""Measure what training did to each objective: pure metrics on arrays, and their uncertainty."""

from benchmark.interference.metrics import (
    change,
    delta_m_percent,
    drop_from_best,
    hypervolume_gain,
    interfered_with,
    interference_matrix,
    interference_rate,
    mean_rank,
    normalised_gain,
    relative_loss,
    set_hypervolume,
    severity,
    worst_change,
)

__all__ = [
    "change",
    "delta_m_percent",
    "drop_from_best",
    "hypervolume_gain",
    "interfered_with",
    "interference_matrix",
    "interference_rate",
    "mean_rank",
    "normalised_gain",
    "relative_loss",
    "set_hypervolume",
    "severity",
    "worst_change",
]
