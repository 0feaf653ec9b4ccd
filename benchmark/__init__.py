"""Crosstalk: a reproducible benchmark of cross-objective interference in alignment."""

from benchmark.common.errors import CrosstalkError

__all__ = ["CrosstalkError", "__version__"]

__version__ = "0.1.0"
