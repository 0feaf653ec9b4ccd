"""Columns of the data set that an objective reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.base import Objective


def answers_in(columns: Mapping[str, Any], objective: Objective) -> Sequence[Any]:
    """Return the column ``answer`` (B,) that an objective compares completions with.

    Raises:
        CrosstalkError: The data set has none.
    """
    if "answer" not in columns:
        raise CrosstalkError(
            f"objective {objective.name!r}: expected the dataset column 'answer', "
            f"got {', '.join(sorted(columns)) or 'none'}"
        )
    return columns["answer"]
