"""Say which objective a reference trains alone."""

from collections.abc import Iterable


def trained_on(algorithm: str, objectives: Iterable[str]) -> str | None:
    """Return the objective that a reference's id ends in: ``single-clarity`` -> ``clarity``."""
    matching = [n for n in objectives if algorithm == n or algorithm.endswith(f"-{n}")]
    return max(matching, key=len, default=None)
