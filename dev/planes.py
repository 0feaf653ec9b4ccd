"""Draw what each rule gains and loses: the figure of ``docs/findings.md``."""

from pathlib import Path

import numpy as np
import pandas
from laboratory import COMMON, EVERY, RARE
from matplotlib.axes import Axes

from benchmark.common.figures import escape, panels, series_style, styled
from benchmark.common.files import replacing

ROWS, COLUMNS = 2, 3
TITLES = dict.fromkeys(RARE, "rare style") | dict.fromkeys(COMMON, "common style")
PLANTED = "planted trade-off"


def plane(folder: Path, file: Path) -> None:
    """Draw the plane of gain against loss, a panel per mixture, as SVG.

    Across: the change of the scalarized score. Up: that of the objective that changed for the worst
    (both means over models, with 95% intervals). The same published folder gives the same bytes.

    Args:
        folder: The published study.
        file: What is written.
    """
    table = pandas.read_csv(folder / "breakdown.csv", keep_default_na=False, na_values=[""])
    table = table[(table["axis"] == "model") & ~table["reference"]]
    styles = {name: k for k, name in enumerate(sorted(table["algorithm"].unique()))}
    with styled():
        figure, axes = panels(ROWS, COLUMNS, size=(3.0, 2.7))
        for axis, name in zip(axes, EVERY, strict=False):
            _panel(axis, table[table["value"] == name], styles)
            axis.set_title(escape(f"{name}: {TITLES.get(name, PLANTED)}"))
            axis.set_xlabel("change of the score")
            axis.set_xlim(*_reach(table, "gain"))
            axis.set_ylim(*_reach(table, "worst_loss"))
        for axis in axes[::COLUMNS]:
            axis.set_ylabel("change of the worst objective")
        spare = axes[len(EVERY)]
        spare.set_axis_off()
        spare.legend(*axes[0].get_legend_handles_labels(), loc="center")
        with replacing(file) as temporary:
            metadata = {"Date": None, "Creator": None}
            figure.savefig(temporary, format="svg", metadata=metadata)


def _reach(table: pandas.DataFrame, column: str) -> tuple[float, float]:
    """Return limits that hold 0 and every interval of a column, with room on both sides."""
    values = table[[column, f"{column}_low", f"{column}_high"]]
    low, high = (float(limit(values.to_numpy(), initial=0)) for limit in (np.nanmin, np.nanmax))
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _panel(axis: Axes, rows: pandas.DataFrame, styles: dict[str, int]) -> None:
    for name, index in styles.items():
        own = rows[rows["algorithm"] == name]
        across = (own["gain"] - own["gain_low"], own["gain_high"] - own["gain"])
        up = (own["worst_loss"] - own["worst_loss_low"], own["worst_loss_high"] - own["worst_loss"])
        style = series_style(index) | {"linestyle": "none", "elinewidth": 0.7, "label": name}
        if index >= 7:  # colours and markers begin again, hollow
            style["markerfacecolor"] = "white"
        axis.errorbar(own["gain"], own["worst_loss"], xerr=across, yerr=up, **style)
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.axvline(0, color="#888888", linewidth=0.8)
