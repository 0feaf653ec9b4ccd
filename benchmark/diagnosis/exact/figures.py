"""Draw the figures of ``crosstalk law``, each with its data next to it."""

from pathlib import Path

import pandas
from matplotlib.axes import Axes

from benchmark.common.figures import escape, panels, save, series_style, styled
from benchmark.diagnosis.exact.report import Results


def draw(results: Results, folder: Path) -> None:
    """Write every figure into ``folder``."""
    with styled():
        _errors(results.orders.curves, folder)
        _signs(results, folder)
        _kappa(results.orders.curves, folder)
        _rules(results.disagreements, folder)
        _clipping(results.clipping, folder)
        _convergence(results.example, folder)


def _errors(curves: pandas.DataFrame, folder: Path) -> None:
    figure, axes = panels(1, 2, size=(4.4, 4.4))
    titles = ("Exact to first order (slope 2)", "Not exact to first order (slope 1)")
    for axis, exact, title in zip(axes, (True, False), titles, strict=True):
        chosen = curves[curves["first_order_exact"] == exact]
        for index, ((step, name), rows) in enumerate(
            chosen.groupby(["step", "prediction"], sort=False)
        ):
            label = escape(f"{step}: {name}")
            style = series_style(index) | {"markevery": (index % 4, 4)}
            axis.plot(rows["step_size"], rows["median_error"], label=label, **style)
        axis.set(xscale="log", yscale="log", title=title, xlabel="step size η")
        axis.set(ylim=(1e-17, 30), ylabel="median |ΔJ − prediction|")
        _legend_below(axis)
    save(figure, folder, "error_by_step", curves)


def _signs(results: Results, folder: Path) -> None:
    figure, (left, right) = panels(1, 2, size=(4.4, 4.2))
    curves = results.orders.curves
    rules = curves[curves["prediction"].isin(["cov(r, s)", "cov(r, s), clipping left out"])]
    for index, (step, rows) in enumerate(rules.groupby("step", sort=False)):
        style = series_style(index) | {"markevery": (index % 4, 4)}
        left.plot(rows["step_size"], rows["sign_agreement"], label=escape(str(step)), **style)
    left.set(xscale="log", title="By rule: sign of cov(r, s)", xlabel="step size η")
    left.set(ylabel="share of signs that agree", ylim=(None, 1.01))
    _legend_below(left)
    for index, (margin, rows) in enumerate(results.margins.groupby("margin")):
        style = series_style(index) | {"markevery": (index % 4, 4)}
        right.plot(rows["step_size"], rows["sign_agreement"], label=f"{margin:g}", **style)
    right.set(xscale="log", title="Tilt, by margin |cov| / (std r · std s)")
    right.set(xlabel="step size η", ylabel="share of signs that agree", ylim=(0.48, 1.02))
    _legend_below(right, columns=4)
    margins = results.margins.assign(panel="by margin")
    save(figure, folder, "sign_by_step", pandas.concat([rules.assign(panel="by rule"), margins]))


def _kappa(curves: pandas.DataFrame, folder: Path) -> None:
    figure, (left, right) = panels(1, 2)
    tilt = curves[curves["step"] == "tilt"]
    for index, (name, rows) in enumerate(tilt.groupby("prediction", sort=False)):
        style = series_style(index) | {"markevery": 2}
        right.plot(rows["step_size"], rows["sign_agreement"], label=escape(str(name)), **style)
    second = tilt[tilt["prediction"].str.contains("κ₃")]
    left.plot(second["step_size"], second["r_squared"], **series_style(1))
    left.axhline(0, color="black", linewidth=0.8)
    left.set(xscale="log", xlim=(1e-3, 11), ylim=(-1, 1.05), xlabel="step size η")
    left.set(title="Error of η cov explained by κ₃", ylabel="R²")
    right.set(xscale="log", xlim=(1e-3, 11), xlabel="step size η")
    right.set(title="Sign of the tilt's change", ylabel="share of signs that agree")
    right.legend(loc="lower left")
    save(figure, folder, "kappa", tilt)


def _rules(table: pandas.DataFrame, folder: Path) -> None:
    figure, axes = panels(1, 2)
    labels = {"sharpness": "standard deviation of the logits", "features": "number of features"}
    for axis, (kind, rows) in zip(axes, table.groupby("axis", sort=False), strict=True):
        for index, (step, own) in enumerate(rows.groupby("step", sort=False)):
            style = series_style(index + (2 if kind == "features" else 0))
            error = [own["share"] - own["low"], own["high"] - own["share"]]
            axis.errorbar(
                own["setting"],
                own["share"],
                yerr=error,
                capsize=2,
                label=escape(str(step)),
                **style,
            )
        axis.set(xlabel=labels[str(kind)], ylabel="share with another sign", ylim=(0, None))
        axis.legend(loc="best")
    figure.suptitle("First-order change against cov(r, s)", fontsize=10)
    save(figure, folder, "sign_by_rule", table)


def _clipping(table: pandas.DataFrame, folder: Path) -> None:
    figure, (left, right) = panels(1, 2, size=(4.2, 3.6))
    for index, (name, rows) in enumerate(table.groupby("prediction")):
        style = series_style(index)
        share = rows["disagreement"]
        left.errorbar(
            rows["clipped_fraction"],
            share,
            yerr=[share - rows["low"], rows["high"] - share],
            capsize=2,
            label=escape(str(name)),
            **style,
        )
        right.plot(rows["clipped_fraction"], rows["distortion"], **style)
    left.set(xlabel="clipped fraction", ylabel="share with the wrong sign")
    right.set(xlabel="clipped fraction", ylabel="median error / median change", yscale="log")
    figure.legend(loc="outside lower center", ncols=1)
    save(figure, folder, "clipping", table)


def _convergence(path: pandas.DataFrame, folder: Path) -> None:
    figure, (left, right) = panels(1, 2)
    shown = path[path["step"] > 0]
    names = {"score": "score", "objective_1": "objective 1", "objective_2": "objective 2"}
    for index, (column, label) in enumerate(names.items()):
        style = series_style(index) | {"markevery": 0.1}
        left.plot(shown["step"], shown[column], label=label, **style)
    left.set(
        xscale="log", xlabel="step", ylabel="value J", title="The score rises, objective 2 falls"
    )
    left.legend(loc="upper left")
    labels = {"gradient": "‖∇J‖", "bound": "π(a*) (J* − J)"}
    for index, (column, label) in enumerate(labels.items()):
        style = series_style(index) | {"markevery": 0.1}
        right.plot(shown["step"], shown[column], label=label, **style)
    right.set(xscale="log", yscale="log", xlabel="step", title="The score's gradient and its bound")
    right.legend(loc="lower left")
    save(figure, folder, "convergence", path)


def _legend_below(axis: Axes, columns: int = 1) -> None:
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns)
