"""One style for all figures of the project: legible in print, in grey, and to the colour-blind.

Matplotlib without pyplot and its global state::

    with styled():
        figure, (left, right) = panels(1, 2)
        left.plot(x, y, label=escape(name), **series_style(0))
        save(figure, folder, "name", data)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import pandas
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmark.common.files import replacing, write_text
from benchmark.common.tables import csv_text

# Okabe & Ito, Color Universal Design, https://jfly.uni-koeln.de/color/; their yellow is left out,
# which hardly shows on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "X", "P")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
PANEL = (3.6, 2.9)  # inches

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same everywhere
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "image.cmap": "cividis",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 3.0,  # room for a whole dash beside the marker
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "crosstalk",  # else element names are drawn at random
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style within the block; afterwards all settings are as before."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def panels(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] = PANEL
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, row by row; to be called within :func:`styled`.

    Args:
        rows: Of panels.
        columns: Of panels.
        size: Width and height of one panel, in inches.
    """
    figure = Figure(figsize=(size[0] * columns, size[1] * rows))
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def series_style(index: int) -> dict[str, Any]:
    """Return the colour, marker and line of the series number ``index``; 35 differ."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def escape(text: str) -> str:
    """Return text from data so that Matplotlib shows it as it is.

    A dollar sign would begin a formula, and a label that begins with an underscore would be left
    out of the legend.
    """
    shown = str(text).replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{shown}" if shown.startswith("_") else shown


def save(figure: Figure, folder: Path, name: str, data: pandas.DataFrame) -> list[Path]:
    """Write ``name.svg``, ``name.png`` and, with what the figure shows, ``name.csv``.

    The same figure gives the same bytes, and each file is replaced in one step.

    Args:
        figure: Made by :func:`panels`.
        folder: Created if need be.
        name: Without ending.
        data: What is shown, in a tidy table.

    Returns:
        The three files.

    Raises:
        CrosstalkError: A file cannot be written.
    """
    paths = [folder / f"{name}.{ending}" for ending in ("svg", "png", "csv")]
    without: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "png": {"Software": None}}
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, or every file would do it twice
        for path in paths[:2]:
            kind = path.suffix[1:]
            with replacing(path) as temporary:
                figure.savefig(temporary, format=kind, metadata=without[kind])
    write_text(paths[2], csv_text(data))
    return paths
