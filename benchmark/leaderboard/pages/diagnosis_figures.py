"""Figures of a study's diagnosis, each with its data beside it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes

from benchmark.common.figures import MARKERS, escape, panels, save, series_style, styled
from benchmark.diagnosis.samples import ADVANTAGE, KINDS, UPDATE, WEIGHT
from benchmark.leaderboard.frames.geometry import QUANTITIES
from benchmark.leaderboard.frames.summary import PLACE

SHOWN = (UPDATE, ADVANTAGE, WEIGHT)  # kinds of prediction, a panel each
MOST_COLUMNS = 4
PL_RATIO = re.compile(r"geometry/pl_ratio/(?:(?!/low$|/high$).)+")
CURVES = {  # what is drawn over training -> prefix of the tracked metric
    "covariance with the score": "covariance/score/",
    "weight": "scalarizer/weight/",
}


def predicted_and_realised(changes: pandas.DataFrame, folder: Path) -> None:
    """Draw realised against predicted changes at the steps as made, a panel per prediction."""
    made = changes[changes["multiple"] == 1.0]
    with styled():
        figure, axes = panels(1, len(SHOWN))
        for axis, kind in zip(axes, SHOWN, strict=True):
            for index, (objective, part) in enumerate(made.groupby("objective", sort=False)):
                style = series_style(index) | {"linestyle": "none", "alpha": 0.7}
                axis.errorbar(
                    part[kind],
                    part["realised"],
                    yerr=part["standard_error"],
                    label=escape(str(objective)),
                    elinewidth=0.6,
                    **style,
                )
            _cross(axis)
            axis.set_title(KINDS[kind])
            axis.set_xlabel("predicted change")
        axes[0].set_ylabel("realised change (± standard error)")
        axes[0].legend()
        save(figure, folder, "predicted-and-realised", made)


def _cross(axis: Axes) -> None:
    """Draw the axes through 0 and the diagonal on which predictions come true."""
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.axvline(0, color="#888888", linewidth=0.8)
    axis.axline((0, 0), slope=1, color="#888888", linewidth=0.8, linestyle=":")


def avoidability(steps: pandas.DataFrame, folder: Path) -> None:
    """Draw the best that weights could do, and what each algorithm reached, over training."""
    places = list(steps.groupby(PLACE, sort=False))
    columns = min(len(places), MOST_COLUMNS)
    with styled():
        figure, axes = panels(-(-len(places) // columns), columns)
        for axis, (place, group) in zip(axes, places, strict=False):
            for index, (algorithm, part) in enumerate(group.groupby("algorithm", sort=False)):
                means = part.groupby("step")[["avoidable/best", "avoidable/reached"]].mean()
                style = series_style(index)
                axis.plot(
                    means.index, means["avoidable/reached"], label=escape(str(algorithm)), **style
                )
                axis.plot(means.index, means["avoidable/best"], color=style["color"], linewidth=0.6)
            axis.axhline(0, color="#888888", linewidth=0.8)
            axis.set_title(escape(", ".join(map(str, place))))
            axis.set_xlabel("training step")
        for spare in axes[len(places) :]:
            spare.set_visible(False)
        axes[0].set_ylabel("smallest normalised covariance\n(thin: largest any weights reach)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
        save(figure, folder, "avoidability", steps)


def pl_ratios(steps: pandas.DataFrame, folder: Path) -> None:
    """Draw the empirical PL ratio over training, a column per objective and for the score.

    A line per model and a row per algorithm, or the other way round if there are fewer models;
    means over objective sets and seeds; a gap where the distance to the optimum is 0 or the ratio
    is not resolved from a negative one.
    """
    columns = [str(name) for name in steps if PL_RATIO.fullmatch(str(name))]
    row, line = sorted(("algorithm", "model"), key=lambda axis: steps[axis].nunique())
    lines = {name: series_style(index) for index, name in enumerate(steps[line].unique())}
    with styled():
        figure, axes = panels(steps[row].nunique(), len(columns), size=(2.6, 2.1))
        grid = np.array(axes).reshape(-1, len(columns))
        for across, (value, group) in zip(grid, steps.groupby(row, sort=False), strict=True):
            for axis, name in zip(across, columns, strict=True):
                for key, part in group.groupby(line, sort=False):
                    means = part.groupby("step")[name].mean()
                    drawn = means.where(means > 0)
                    axis.plot(drawn.index, drawn, label=escape(str(key)), **lines[key])
                axis.set_yscale("log")
            across[0].set_ylabel(f"{escape(str(value))}\n½‖∇J‖² / (J* − J)")
        for axis, name in zip(grid[0], columns, strict=True):
            axis.set_title(escape(name.removeprefix("geometry/pl_ratio/")))
        for axis in grid[-1]:
            axis.set_xlabel("training step")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        save(
            figure,
            folder,
            "pl-ratios",
            steps[["algorithm", "model", "objectives", "seed", "step", *columns]],
        )


def interference_and_geometry(models: pandas.DataFrame, folder: Path) -> None:
    """Draw each model's severity of interference against its geometry, a panel per quantity."""
    columns = 3
    rows = -(-len(QUANTITIES) // columns)
    with styled():
        figure, axes = panels(rows, columns, size=(2.6, 2.3))
        for axis, name in zip(axes, QUANTITIES, strict=False):
            for index, (_, model) in enumerate(models.iterrows()):
                style = series_style(index) | {"linestyle": "none"}
                if index // len(MARKERS) % 2:  # markers begin anew, hollow
                    style["markerfacecolor"] = "none"
                axis.plot(model[name], model["severity"], label=escape(model["model"]), **style)
            axis.set_xlabel(name)
            if (models[name] > 0).all() and models[name].max() > 20 * models[name].min():
                axis.set_xscale("log")
        for spare in axes[len(QUANTITIES) :]:
            spare.set_visible(False)
        for axis in axes[::columns]:
            axis.set_ylabel("severity of interference")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        save(figure, folder, "interference-and-geometry", models)


def traces(curves: pandas.DataFrame, objectives: Sequence[str], folder: Path, name: str) -> None:
    """Draw covariances and weights over training, a column per algorithm of one model and set.

    Args:
        curves: ``algorithm``, ``metric``, ``step``, ``value``, means over seeds.
        objectives: Of the set, in its order.
        folder: Where the figure goes.
        name: Its name.
    """
    algorithms = list(curves["algorithm"].unique())
    with styled():
        figure, axes = panels(len(CURVES), len(algorithms), size=(2.6, 2.1))
        grid = np.array(axes).reshape(len(CURVES), len(algorithms))
        for row, (label, prefix) in enumerate(CURVES.items()):
            for column, algorithm in enumerate(algorithms):
                axis: Axes = grid[row, column]
                own = curves[curves["algorithm"] == algorithm]
                _trace(axis, own, objectives, prefix)
                if row == 0:
                    axis.set_title(escape(str(algorithm)))
                    axis.axhline(0, color="#888888", linewidth=0.8)
                else:
                    axis.set_xlabel("training step")
            grid[row, 0].set_ylabel(label)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
        save(figure, folder, name, curves)


def _trace(axis: Axes, curves: pandas.DataFrame, objectives: Sequence[str], prefix: str) -> None:
    for index, name in enumerate(objectives):
        part = curves[curves["metric"] == prefix + name]
        style: dict[str, Any] = series_style(index) | {"marker": ""}
        axis.plot(part["step"], part["value"], label=escape(name), **style)
