"""The figure of a study's results for a paper, with its data beside it."""

from pathlib import Path

import numpy as np
import pandas
from matplotlib.axes import Axes

from benchmark.common.figures import escape, panels, save, series_style, styled
from benchmark.leaderboard.frames.summary import PLACE

NAME = "changes"
MOST_COLUMNS = 3
ROW = 0.34  # inches of height for an algorithm
ROOM = 0.55  # of an algorithm's row, over which its objectives are spread
COLUMNS = ["algorithm", "reference", "objective", "delta", "delta_low", "delta_high", "interfered"]


def changes(summary: pandas.DataFrame, folder: Path) -> list[Path]:
    """Draw every objective's change with its interval, a panel per model and objective set.

    Filled: interfered with. The files are ``changes.svg``, ``.png`` and ``.csv``.

    Args:
        summary: :func:`benchmark.leaderboard.frames.summary.summarise` of a table's cells.
        folder: Where the files go.

    Raises:
        CrosstalkError: A file cannot be written.
    """
    places = list(summary.groupby(PLACE, sort=False))
    columns = min(len(places), MOST_COLUMNS)
    most = max(group["algorithm"].nunique() for _, group in places)
    reach = 1.05 * np.nanmax(summary[["delta", "delta_low", "delta_high"]].abs().to_numpy())
    styles = {name: k for k, name in enumerate(summary["objective"].unique())}
    with styled():
        height = 1.0 + ROW * most
        figure, axes = panels(-(-len(places) // columns), columns, size=(3.6, height))
        for axis, (place, group) in zip(axes, places, strict=False):
            _draw(axis, group, styles)
            axis.set_xlim(-reach, reach)
            axis.set_title(escape(", ".join(map(str, place))))
            axis.set_xlabel("change since the initial policy")
        for spare in axes[len(places) :]:
            spare.set_visible(False)
        handles = dict(
            pair
            for axis in axes
            for pair in zip(*reversed(axis.get_legend_handles_labels()), strict=True)
        )
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles)
        )
        return save(figure, folder, NAME, summary[[*PLACE, *COLUMNS]])


def _draw(axis: Axes, group: pandas.DataFrame, styles: dict[str, int]) -> None:
    """Draw the changes of one place: an algorithm a row, the first on top."""
    rows = {name: -k for k, name in enumerate(group["algorithm"].unique())}
    here = list(group["objective"].unique())
    for name, part in group.groupby("objective", sort=False):
        offset = ROOM * (0.5 - (here.index(name) + 0.5) / len(here))
        heights = part["algorithm"].map(rows).to_numpy(dtype=float) + offset
        style = series_style(styles[str(name)]) | {"linestyle": "none"}
        bounds = np.abs(part[["delta_low", "delta_high"]].to_numpy().T - part["delta"].to_numpy())
        label = escape(str(name))
        axis.errorbar(
            part["delta"], heights, xerr=bounds, label=label, markerfacecolor="white", **style
        )
        fell = part["interfered"].to_numpy(dtype=bool)
        axis.plot(part["delta"].to_numpy()[fell], heights[fell], zorder=3, **style)
    axis.axvline(0, color="#888888", linewidth=0.8)
    axis.set_yticks(list(rows.values()), [escape(str(name)) for name in rows])
    axis.grid(visible=False, axis="y")
