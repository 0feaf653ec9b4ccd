"""Draw figures of a study's results and its diagnosis, each with its data next to it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.common.figures import MARKERS, PANEL, escape, panels, save, series_style, styled
from benchmark.diagnosis.samples import ADVANTAGE, KINDS, UPDATE, WEIGHT
from benchmark.leaderboard.frames.geometry import QUANTITIES
from benchmark.leaderboard.results.evidence import PLACE

SHOWN = (UPDATE, ADVANTAGE, WEIGHT)  # kinds of prediction, a panel each
CHANGES = ["algorithm", "reference", "objective", "delta", "delta_low", "delta_high", "interfered"]
ROW = 0.34  # inches of height for an algorithm
ROOM = 0.55  # of an algorithm's row, over which its objectives are spread
PL_RATIO = re.compile(r"geometry/pl_ratio/(?:(?!/low$|/high$).)+")
CURVES = {  # what is drawn over training -> prefix of the tracked metric
    "covariance with the score": "covariance/score/",
    "weight": "scalarizer/weight/",
}


def changes(summary: pandas.DataFrame, folder: Path) -> list[Path]:
    """Draw every objective's change with its interval, a panel per model and objective set.

    Filled: interfered with. The files are ``changes.svg``, ``.png`` and ``.csv``.
    """
    places = list(summary.groupby(PLACE, sort=False))
    most = max(group["algorithm"].nunique() for _, group in places)
    reach = 1.05 * np.nanmax(summary[["delta", "delta_low", "delta_high"]].abs().to_numpy())
    styles = {name: k for k, name in enumerate(summary["objective"].unique())}
    with styled():
        figure, axes = _wrapped(len(places), 3, size=(3.6, 1.0 + ROW * most))
        for axis, (place, group) in zip(axes, places, strict=True):
            _draw_changes(axis, group, styles)
            axis.set_xlim(-reach, reach)
            axis.set_title(escape(", ".join(map(str, place))))
            axis.set_xlabel("change since the initial policy")
        handles = dict(
            pair
            for axis in axes
            for pair in zip(*reversed(axis.get_legend_handles_labels()), strict=True)
        )
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles)
        )
        return save(figure, folder, "changes", summary[[*PLACE, *CHANGES]])


def _wrapped(count: int, most: int, *, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure and its ``count`` panels, up to ``most`` in a row; spare ones are hidden."""
    columns = min(count, most)
    figure, axes = panels(-(-count // columns), columns, size=size)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def _draw_changes(axis: Axes, group: pandas.DataFrame, styles: dict[str, int]) -> None:
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


def predicted_and_realised(changes: pandas.DataFrame, folder: Path) -> list[Path]:
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
        return save(figure, folder, "predicted-and-realised", made)


def _cross(axis: Axes) -> None:
    """Draw the axes through 0 and the diagonal on which predictions come true."""
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.axvline(0, color="#888888", linewidth=0.8)
    axis.axline((0, 0), slope=1, color="#888888", linewidth=0.8, linestyle=":")


def best_weights(steps: pandas.DataFrame, folder: Path) -> list[Path]:
    """Draw the best that weights could do, and what each algorithm reached, over training."""
    places = list(steps.groupby(PLACE, sort=False))
    with styled():
        figure, axes = _wrapped(len(places), 4, size=PANEL)
        for axis, (place, group) in zip(axes, places, strict=True):
            for index, (algorithm, part) in enumerate(group.groupby("algorithm", sort=False)):
                means = part.groupby("step")[["weights/best", "weights/reached"]].mean()
                style = series_style(index)
                axis.plot(
                    means.index, means["weights/reached"], label=escape(str(algorithm)), **style
                )
                axis.plot(means.index, means["weights/best"], color=style["color"], linewidth=0.6)
            axis.axhline(0, color="#888888", linewidth=0.8)
            axis.set_title(escape(", ".join(map(str, place))))
            axis.set_xlabel("training step")
        axes[0].set_ylabel("smallest normalised covariance\n(thin: largest any weights reach)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
        return save(figure, folder, "best-weights", steps)


def pl_ratios(steps: pandas.DataFrame, folder: Path) -> list[Path]:
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
        return save(
            figure,
            folder,
            "pl-ratios",
            steps[["algorithm", "model", "objectives", "seed", "step", *columns]],
        )


def interference_and_geometry(models: pandas.DataFrame, folder: Path) -> list[Path]:
    """Draw each model's severity of interference against its geometry, a panel per quantity."""
    with styled():
        figure, axes = _wrapped(len(QUANTITIES), 3, size=(2.6, 2.3))
        for axis, name in zip(axes, QUANTITIES, strict=True):
            for index, (_, model) in enumerate(models.iterrows()):
                style = series_style(index) | {"linestyle": "none"}
                if index // len(MARKERS) % 2:  # markers begin again, hollow
                    style["markerfacecolor"] = "none"
                axis.plot(model[name], model["severity"], label=escape(model["model"]), **style)
            axis.set_xlabel(name)
            if (models[name] > 0).all() and models[name].max() > 20 * models[name].min():
                axis.set_xscale("log")
        for axis in axes[::3]:
            axis.set_ylabel("severity of interference")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return save(figure, folder, "interference-and-geometry", models)


def traces(
    curves: pandas.DataFrame, objectives: Sequence[str], folder: Path, name: str
) -> list[Path]:
    """Draw covariances and weights over training, a column per algorithm of one model and set.

    ``curves`` has ``algorithm``, ``metric``, ``step`` and ``value``, means over seeds.
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
        return save(figure, folder, name, curves)


def _trace(axis: Axes, curves: pandas.DataFrame, objectives: Sequence[str], prefix: str) -> None:
    for index, name in enumerate(objectives):
        part = curves[curves["metric"] == prefix + name]
        style: dict[str, Any] = series_style(index) | {"marker": ""}
        axis.plot(part["step"], part["value"], label=escape(name), **style)
