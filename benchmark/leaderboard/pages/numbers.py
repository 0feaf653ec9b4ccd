"""Numbers as the page shows them."""

import pandas

from benchmark.leaderboard.pages import markdown


def number(value: float, digits: int = 3, sign: str = "") -> str:
    """Return :func:`benchmark.leaderboard.pages.markdown.number` with a true minus sign."""
    return markdown.number(value, digits, sign).replace("-", "−")


def share(value: float) -> str:
    """Return a share as a percentage, and a dash for NaN."""
    text = number(100 * value, 1)
    return text if text == markdown.NOTHING else f"{text}%"


def sortable(value: float) -> str:
    """Return a number for sorting by; empty for NaN."""
    return "" if pandas.isna(value) else f"{value:.6g}"
