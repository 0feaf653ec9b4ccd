"""Objectives that are made from others."""

from collections.abc import Mapping
from typing import Any

from benchmark.common.errors import CrosstalkError, Faulty
from benchmark.objectives.base import Objective


def part_rewards(whole: Objective, part: Objective, batch: Mapping[str, Any]) -> list[float]:
    """Return the rewards of an objective that another one is made from; its errors name both."""
    try:
        return part(**batch)
    except Faulty as error:
        raise Faulty(f"objective {whole.name!r} through a part: {error}") from error
    except CrosstalkError as error:
        raise CrosstalkError(f"objective {whole.name!r} through a part: {error}") from error
