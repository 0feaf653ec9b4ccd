"""Crosstalk: a reproducible benchmark of cross-objective interference in language-model alignment."""

__version__ = "0.1.0"
