"""Crosstalk: a reproducible benchmark of cross-objective interference in alignment."""

__version__ = "0.1.0"
