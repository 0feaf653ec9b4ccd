"""Write the text of ``crosstalk law``: tables, and where the sign law fails."""

from typing import Any, NamedTuple

import numpy as np
import pandas

from benchmark.diagnosis.exact.measures import FITTED, NEAR_ZERO, STEP_SIZES, Orders
from benchmark.diagnosis.exact.predictions import CLIP

SURE = 0.99  # sign agreement below which the law is said to fail
TOLERANCE = 0.1  # of an order


class Results(NamedTuple):
    """What was measured; the functions of the same names describe the tables."""

    orders: Orders
    margins: pandas.DataFrame
    disagreements: pandas.DataFrame
    clipping: pandas.DataFrame
    bounds: pandas.DataFrame
    optimum: pandas.DataFrame
    example: pandas.DataFrame

    def tables(self) -> dict[str, pandas.DataFrame]:
        """Return the tables that no figure shows as they are, by the name of their file."""
        return {"orders": self.orders.table, "bounds": self.bounds, "optimum": self.optimum}


def report(results: Results, problems: int, seed: int) -> str:
    """Return the printed text on results of so many random problems, drawn with this seed."""
    head = (
        f"The covariance law on {problems} random problems (seed {seed}): "
        "4 prompts, 8 completions, 3 objectives, enumerated.\n"
        f"Step sizes {STEP_SIZES[0]:g} to {STEP_SIZES[-1]:g} in standard deviations of the score; "
        f"orders of the error are fitted up to {FITTED:g}."
    )
    sections = [
        head,
        _orders(results.orders.table),
        "Where the sign law holds, and where it fails (in brackets 95% intervals over problems):\n"
        + "\n".join(_statement(results)),
    ]
    return "\n\n".join(sections) + "\n"


def _orders(table: pandas.DataFrame) -> str:
    rows = [
        [row["step"], row["prediction"], f"{row['order']:.2f}"]
        + [f"{row['order_5%']:.2f} to {row['order_95%']:.2f}"]
        + [f"{100 * row[name]:.1f}%" for name in table.columns if name.startswith("sign@")]
        for _, row in table.iterrows()
    ]
    signs = [f"sign, η={name[5:]}" for name in table.columns if name.startswith("sign@")]
    header = ["step", "prediction", "order", "5% to 95%", *signs]
    frame = pandas.DataFrame(rows, columns=header)
    text: str = frame.to_markdown(
        index=False, tablefmt="simple", disable_numparse=True, stralign="left"
    )
    return text


def _statement(results: Results) -> list[str]:
    lines = [*_by_order(results.orders.table), *_by_step(results), *_by_rule(results)]
    lines += [*_by_clipping(results.clipping), *_by_convergence(results)]
    return [f"* {line}" for line in lines]


def _by_order(table: pandas.DataFrame) -> list[str]:
    """Say which predictions have an error of the order that theory gives it."""
    expected = np.where(table["first_order_exact"], 2.0, 1.0)
    expected = expected + table["prediction"].str.contains("κ₃").to_numpy()
    lines = []
    for order in (2.0, 3.0, 1.0):
        mine = table[expected == order]
        good = mine[(mine["order"] - order).abs() <= TOLERANCE]
        what = {1.0: "wrong at first order", 2.0: "first-order exact", 3.0: "second-order"}
        names = "; ".join(f"{row['step']}: {row['prediction']}" for _, row in good.iterrows())
        lines.append(
            f"Error of order {order:.1f} ± {TOLERANCE:g} ({what[order]}): {names or 'none'}."
        )
        for _, row in mine.drop(good.index).iterrows():
            lines.append(
                f"CONTRADICTS THEORY: {row['step']}, {row['prediction']}: order {row['order']:.2f} "
                f"instead of {order:.1f}."
            )
    return lines


def _by_step(results: Results) -> list[str]:
    curves = results.orders.curves
    tilt = curves[curves["step"] == "tilt"]
    kappa = tilt["prediction"].str.contains("κ₃")
    first, second = tilt[~kappa], tilt[kappa]
    lines = [
        "Tilt: the sign of the covariance is the sign of the change for at least 99% of pairs of "
        f"problem and objective up to a step of {_step(_largest(first))}; at a step of 1 for "
        f"{_percent(_at(first, 1.0))}, at 10 for {_percent(_at(first, 10.0))}. With the κ₃ term: "
        f"up to {_step(_largest(second))}, {_percent(_at(second, 1.0))}, "
        f"{_percent(_at(second, 10.0))}.",
        "κ₃ explains of the error of η cov (R², no free parameter) "
        + ", ".join(f"{_at(second, eta, 'r_squared'):.3f} at {eta:g}" for eta in (0.01, 0.1, 1.0))
        + f"; it makes the prediction worse from a step of {_first_negative(second)}.",
    ]
    limits = results.margins.groupby("margin")[["step_size", "sign_agreement"]].apply(_largest)
    pieces = ", ".join(f"{_step(limit)} at {margin:g}" for margin, limit in limits.items())
    lines.append(
        f"Near zero covariance it fails first: by margin |cov|/(std r · std s), the largest step "
        f"with 99% agreement is {pieces}."
    )
    return lines


def _largest(curve: pandas.DataFrame) -> float:
    """Return the step size up to which agreement is never below 99%; NaN if there is none."""
    ordered = curve.sort_values("step_size")
    holds = (ordered["sign_agreement"] >= SURE).cummin()
    return float(ordered.loc[holds, "step_size"].max())


def _first_negative(curve: pandas.DataFrame) -> str:
    worse = curve.loc[curve["r_squared"] < 0, "step_size"]
    return f"{worse.min():.2g}" if len(worse) else "nowhere"


def _at(curve: pandas.DataFrame, eta: float, column: str = "sign_agreement") -> float:
    return float(curve.loc[np.isclose(curve["step_size"], eta), column].iloc[0])


def _by_rule(results: Results) -> list[str]:
    """Say how often a rule's own first-order change has another sign than the covariance."""
    lines = []
    for step, rows in results.disagreements.groupby("step", sort=False):
        axis = rows["axis"].iloc[0]
        pieces = ", ".join(
            f"{_percent(row['share'])} {_range(row)} at {row['setting']:g} "
            f"({_percent(row['share_near_zero'])} of those within ±{NEAR_ZERO:g})"
            for _, row in rows.iloc[[0, len(rows) // 2, -1]].iterrows()
        )
        what = {"sharpness": "standard deviation of the logits", "features": "number of features"}
        lines.append(
            f"{step}: at any step size, however small, the change has another sign than cov(r, s) "
            f"for a share of pairs; by {what[axis]}: {pieces}."
        )
    return lines


def _by_clipping(table: pandas.DataFrame) -> list[str]:
    lines = []
    for name, rows in table.groupby("prediction"):
        if rows["disagreement"].max() > 1 - SURE:
            chosen = rows.iloc[[0, len(rows) // 2, -1]].iterrows()
            pieces = ", ".join(
                f"{_percent(row['disagreement'])} {_range(row)} at {row['clipped_fraction']:.2f}"
                for _, row in chosen
            )
            text = f"{name}: wrong sign by clipped fraction {pieces}"
        else:
            text = f"{name}: wrong sign at most {_percent(rows['disagreement'].max())}"
        distortion = rows["distortion"].iloc[-1]
        lines.append(
            f"Clipped surrogate (ε = {CLIP:g}), {text}; distortion up to {distortion:.2g}."
        )
    return lines


def _by_convergence(results: Results) -> list[str]:
    found = results.optimum.set_index("objectives")
    path = results.example
    first, last = path.iloc[0], path.iloc[-1]
    falling = int((path["covariance_2"].to_numpy() <= 0).argmax())
    pieces = "; ".join(
        f"{row['bound']}: {row['violations']} violations in {row['problems']} random states, "
        f"smallest ratio of the sides {row['smallest_ratio']:.3f}"
        for _, row in results.bounds.iterrows()
    )
    return [
        f"PL bounds: {pieces}.",
        "Convergence of the scalarised objective does not make each objective improve: at its "
        f"optimum {_percent(found.loc['all', 'falls'])} of objectives are below where they began, "
        f"{_percent(found.loc['positive covariance', 'falls'])} of those whose covariance was "
        "positive at first.",
        f"Example: the score goes from {first['score']:.3f} to {last['score']:.3f} (mass on its "
        f"optimum {last['mass']:.3f}), objective 1 from {first['objective_1']:.3f} to "
        f"{last['objective_1']:.3f}, objective 2 from {first['objective_2']:.3f} to "
        f"{last['objective_2']:.3f}, although its covariance was {first['covariance_2']:+.4f} at "
        f"first (it is negative from step {falling}).",
    ]


def _percent(share: Any) -> str:
    return "none" if np.isnan(share) else f"{100 * share:.1f}%"


def _range(row: pandas.Series) -> str:
    return f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _step(size: float) -> str:
    return "none" if np.isnan(size) else f"{size:.2g}"
