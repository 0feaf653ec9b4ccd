"""Read from the tracked runs what the page draws over training steps."""

import math
from collections.abc import Iterable

import numpy as np
import pandas

from benchmark.leaderboard.pages.markdown import minus, number
from benchmark.leaderboard.results.table import Table
from benchmark.tracking.reading import run_curves

PREFIXES = ("validation/", "covariance/", "scalarizer/", "gradient/")
RUNS = 300  # runs whose curves a page holds; the others are in the tracking store
POINTS = 80  # points of a curve that a page holds
DIGITS = 4  # significant digits of a point
LARGEST = 1e300  # the store keeps infinity as the largest number there is

TITLES = {  # what the page calls a family of curves, in the order it shows them
    "covariance/score": "Covariance with the score",
    "covariance/advantage": "Covariance with the advantage",
    "covariance/weight": "Covariance with the update’s weights",
    "covariance/unclipped_weight": "Covariance with the weights before clipping",
    "scalarizer/weight": "Scalarizer’s weights",
    "scalarizer/average_covariance": "Averaged covariance",
    "scalarizer/normalised_covariance": "Covariance over the objective’s own variance",
    "scalarizer/target_deficit": "Deficit against the target",
    "scalarizer/dual": "Dual variables",
    "scalarizer/reference_point": "Reference point",
    "scalarizer/kept": "Share of completions that count",
    "scalarizer/foreseen": "Change foreseen",
    "scalarizer/found": "Change found",
    "gradient/weight": "Weights of the gradients",
    "gradient/norm": "Norms of the gradients",
}
COSINE = "gradient/cosine/"

Points = tuple[list[int], list[float | None]]  # steps and values


def curves_of(uri: str, results: Table) -> pandas.DataFrame:
    """Return the curves of a study's counted runs: ``cell``, ``metric``, ``step``, ``value``.

    They are those of validation and of what was measured at updates, of the first :data:`RUNS`
    cells alone: a page of a large study should stay one that a browser opens.
    """
    cells = {o.run_id: cell for cell, o in list(results.origins.items())[:RUNS]}
    found = run_curves(uri, cells, PREFIXES)
    found = found.assign(cell=found["run_id"].map(cells)).astype({"step": int, "value": float})
    return found[["cell", "metric", "step", "value"]]


def families(curves: pandas.DataFrame, names: Iterable[str]) -> dict[str, dict[str, Points]]:
    """Return one run's curves by family and objective.

    A family is what a metric's name has before the objective, ``covariance/score`` say. Metrics
    that do not end in one of the ``names`` belong to none.
    """
    found: dict[str, dict[str, Points]] = {}
    by_metric = dict(iter(curves.groupby("metric", sort=True)))
    for metric, points in by_metric.items():
        for name in names:
            if str(metric).endswith(f"/{name}"):
                family = str(metric).removesuffix(f"/{name}")
                found.setdefault(family, {})[name] = _points(points)
    return found


def title(family: str) -> str:
    """Return what the page calls a family of curves; that of a plug-in by its own words."""
    if family.startswith(COSINE):
        return f"Cosine of its gradient with that of {family.removeprefix(COSINE)}"
    origin, _, quantity = family.partition("/")
    words = quantity.replace("_", " ").replace("/", ", ")
    return TITLES.get(family) or (f"{origin.capitalize()}: {words}" if words else origin)


def titles(found: Iterable[str]) -> dict[str, str]:
    """Return the titles of families of curves, in the order the page shows them."""
    known = {family: place for place, family in enumerate(TITLES)}
    ordered = sorted(set(found), key=lambda family: (known.get(family, len(known)), family))
    return {family: title(family) for family in ordered}


def validation_rows(results: Table, curves: pandas.DataFrame) -> list[dict[str, str]]:
    """Return each validation curve in a few numbers: what the charts show, for a plain table.

    A row per run and objective: ``cell``, ``objective``, ``first``, ``best``, ``best_step``,
    ``last`` and ``fall``, from the best to the last.
    """
    by_curve = dict(iter(curves.groupby(["cell", "metric"], sort=False)))
    rows = []
    for cell in results.origins:
        for name in results.expected[cell].names:
            points = by_curve.get((cell, f"validation/{name}"))
            if points is not None and points["value"].notna().any():
                rows.append({"cell": cell, "objective": name, **_summed_up(points)})
    return rows


def _summed_up(points: pandas.DataFrame) -> dict[str, str]:
    known = points[points["value"].notna()].sort_values("step")
    values = known["value"].to_numpy()
    at = int(values.argmax())
    numbers = {"first": values[0], "best": values[at], "last": values[-1]}
    numbers["fall"] = numbers["best"] - numbers["last"]
    told = {key: minus(number(value)) for key, value in numbers.items()}
    return {**told, "best_step": str(int(known["step"].iloc[at]))}


def _points(frame: pandas.DataFrame) -> Points:
    """Return a curve's finite points, thinned evenly; the first and the last always stay."""
    known = frame[frame["value"].abs() < LARGEST].sort_values("step")
    if len(known) > POINTS:
        known = known.iloc[np.linspace(0, len(known) - 1, POINTS).round().astype(int)]
    return [int(s) for s in known["step"]], [rounded(v) for v in known["value"]]


def rounded(value: float) -> float | None:
    """Return the value with :data:`DIGITS` significant digits, and None for one not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
