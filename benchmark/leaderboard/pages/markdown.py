"""Write Markdown that reads well as plain text too."""

import re
from collections.abc import Sequence

import pandas

NOTHING = "–"  # stands for a value that does not exist


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no HTML, no end of a table's cell."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|~\[\]$])", r"\\\1", text)
    # An underscore inside a word is no markup, and far more readable bare.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    return " ".join(text.split())


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a Markdown table with aligned columns; the first is text, the others are numbers,
    or text too if ``numbers`` is not set.

    The cells are Markdown already: escape what comes from elsewhere.
    """
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    padded = [
        [
            line[0].ljust(widths[0]),
            *(
                c.rjust(w) if numbers else c.ljust(w)
                for c, w in zip(line[1:], widths[1:], strict=True)
            ),
        ]
        for line in lines
    ]
    end = ":" if numbers else "-"
    rule = ["-" * widths[0], *("-" * (width - 1) + end for width in widths[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


def number(value: float, digits: int = 3, sign: str = "") -> str:
    """Return a number with ``digits`` decimals, ``sign="+"`` for a change, and a dash for NaN."""
    if pandas.isna(value):
        return NOTHING
    rounded = round(float(value), digits) + 0.0  # the sum turns -0.0 into 0.0
    return f"{rounded:{sign}.{digits}f}"


def share(value: float, digits: int = 1) -> str:
    """Return a share as a percentage, and a dash for NaN."""
    text = number(100 * value, digits)
    return text if text == NOTHING else f"{text}%"


def minus(text: str) -> str:
    """Return a number as text with a true minus sign, for pages that can show one."""
    return text.replace("-", "−")
