"""Word estimates with their intervals, as ``docs/findings.md`` and the predictions have them."""

import math
import re
from collections.abc import Sequence

from benchmark.interference.intervals import Interval
from benchmark.interference.shares import proportion_interval
from benchmark.leaderboard.pages.markdown import minus, number


def estimate(found: Interval, digits: int = 2, sign: str = "+") -> str:
    """Return ``+0.20 [+0.10, +0.30]``."""
    value, low, high = (minus(number(each, digits, sign)) for each in found)
    return f"{value} [{low}, {high}]" if not math.isnan(found.low) else f"{value} (no interval)"


def percent(found: Interval) -> str:
    """Return ``20% [10%, 30%]`` of a share."""
    value, low, high = (f"{number(100 * each, 0)}%" for each in found)
    return f"{value} [{low}, {high}]" if not math.isnan(found.low) else f"{value} (no interval)"


def count(trials: Sequence[bool]) -> str:
    """Return ``2 of 10 [3%, 56%]`` of things that happened, with their share's interval."""
    if not len(trials):
        return "none"
    _, low, high = proportion_interval(list(map(float, trials)))
    return f"{sum(map(bool, trials))} of {len(trials)} [{100 * low:.0f}%, {100 * high:.0f}%]"


def causes_of(why: str) -> dict[str, int]:
    """Return the causes in a text of a diagnosis, such as ``weights 83%, unresolved 17%``.

    In per cent; empty where the objective did not fall.
    """
    return {cause.strip(): int(share) for cause, share in re.findall(r"([a-z -]+) (\d+)%", why)}
