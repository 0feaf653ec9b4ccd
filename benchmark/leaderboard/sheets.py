"""The published tables as plain rows of text, which Markdown and LaTeX both are made of."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import ArrayLike

from benchmark.leaderboard.markdown import NOTHING, number
from benchmark.leaderboard.overall import Overall
from benchmark.leaderboard.summary import PLACE

Row = Mapping[Hashable, Any]  # of a data frame
_ABSENT: Row = {"final": np.nan}  # an objective that an algorithm has no result for
CAPTIONS = {"model": "model", "objectives": "objective set", "estimator": "advantage estimator"}


class TextCell(NamedTuple):
    """A table's cell: its text, whether an objective is interfered with, and its place.

    ``place`` is 1 for the best value of a column, 2 for the second, 0 for any other.
    """

    text: str
    interfered: bool = False
    place: int = 0


@dataclass(frozen=True)
class Sheet:
    """A table: a name for references, a caption, the header and the rows."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[TextCell]]


def overall_sheet(frame: pandas.DataFrame, name: str, caption: str) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.overall.compare`."""
    competing = ~frame["reference"]
    columns = {
        "mean rank": _podium(frame["mean_rank"], competing, lower=True, digits=2),
        "interference rate": _podium(frame["interference_rate"], competing, lower=True),
        "severity": _podium(frame["severity"], competing, lower=True),
        "better than linear": _podium(frame["improvement"], competing),
    }
    lines = records(frame)
    texts = {
        "mean rank": [spanned(row, "mean_rank", 2) for row in lines],
        "interference rate": [spanned(row, "interference_rate", 1, "%") for row in lines],
        "severity": [spanned(row, "severity", 3) for row in lines],
        "better than linear": [spanned(row, "improvement", 0, "%") for row in lines],
    }
    if frame["improvement"].isna().all():
        del texts["better than linear"]
    rows = [
        [
            TextCell(algorithm(row)),
            *(TextCell(texts[key][k], place=columns[key][k]) for key in texts),
            TextCell(str(row["runs"])),
            TextCell(f"{row['seeds']}"),
        ]
        for k, row in enumerate(lines)
    ]
    return Sheet(name, caption, ["algorithm", *texts, "runs", "seeds"], rows)


def breakdown_sheets(frame: pandas.DataFrame) -> list[Sheet]:
    """Return the overall table by model, objective set and estimator, each where there are two."""
    sheets = []
    for axis, rows in frame.groupby("axis", sort=False):
        if rows["value"].nunique() < 2:
            continue
        caption = CAPTIONS[str(axis)]
        parts = []
        for value, group in rows.groupby("value", sort=False):
            part = overall_sheet(group.reset_index(drop=True), "", "")
            parts.append((str(value), part))
        header = max((part.header for _, part in parts), key=len)
        lines = [
            [TextCell(value), *_filled(row, part.header, header)]
            for value, part in parts
            for row in part.rows
        ]
        sheets.append(Sheet(f"by-{axis}", f"By {caption}", [caption, *header], lines))
    return sheets


def group_sheet(group: pandas.DataFrame, attributed: bool) -> Sheet:
    """Return the table of one model and objective set: rows of ``summarise``."""
    lines: dict[str, list[Row]] = {}  # each algorithm's rows, one an objective
    for row in records(group):
        lines.setdefault(row["algorithm"], []).append(row)
    first = [rows[0] for rows in lines.values()]
    model, objectives = (str(first[0][key]) for key in PLACE)
    names = list(dict.fromkeys(row["objective"] for rows in lines.values() for row in rows))
    by_name = [{row["objective"]: row for row in reversed(rows)} for rows in lines.values()]
    competing = np.array([not row["reference"] for row in first])

    def placed(key: str, digits: int = 3) -> list[int]:
        return _podium([row[key] for row in first], competing, digits=digits)

    finals = {
        name: _podium([row.get(name, _ABSENT)["final"] for row in by_name], competing)
        for name in names
    }
    after = {
        "worst Δ": placed("worst_change"),
        "scalarized gain": placed("score_delta"),
        "hypervolume gain": placed("hypervolume_gain", 5),
    }
    table = []
    for k, rows in enumerate(lines.values()):
        texts = {
            "worst Δ": _worst(rows),
            "scalarized gain": change(first[k]["score_delta"], first[k]["score_high"]),
            "hypervolume gain": number(first[k]["hypervolume_gain"], 5),
        }
        table.append(
            [
                TextCell(algorithm(first[k])),
                *(_objective(by_name[k].get(n, _ABSENT), finals[n][k]) for n in names),
                *(TextCell(text, place=after[key][k]) for key, text in texts.items()),
                TextCell(number(first[k]["tokens"], 1)),
                TextCell(str(first[k]["seeds"])),
                *([TextCell(_why(rows))] if attributed else []),
            ]
        )
    header = ["algorithm", *names, *after, "tokens", "seeds", *(["why"] if attributed else [])]
    return Sheet(f"{model}-{objectives}", f"{model}, {objectives}", header, table)


def matrix_sheet(rows: pandas.DataFrame) -> Sheet:
    """Return an interference matrix: rows of ``interference_matrices`` of one place."""
    lines = records(rows)
    model, objectives = (str(lines[0][key]) for key in PLACE)
    names = list(dict.fromkeys(row["objective"] for row in lines))
    table: dict[str, list[TextCell]] = {}
    for row in lines:
        own = table.setdefault(row["trained_on"], [TextCell(f"on {row['trained_on']}")])
        own.append(TextCell(change(row["change"], row["change_high"])))
    caption = f"{model}, {objectives}: change of each objective when training on one alone"
    return Sheet(f"matrix-{model}-{objectives}", caption, ["trained", *names], list(table.values()))


def dependence_sheet(frame: pandas.DataFrame) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.dependence.model_dependence`."""
    rows = []
    for row in records(frame):
        spread = f"{number(row['spread'])} ({_span(row, 'spread', 3)})"
        rows.append(
            [
                TextCell(algorithm(row)),
                TextCell(str(row["objectives"])),
                TextCell(f"{row['models_interfered']} of {row['models']}"),
                TextCell(str(row["patterns"])),
                TextCell(number(row["worst_change_min"], sign="+")),
                TextCell(number(row["worst_change_max"], sign="+")),
                TextCell(spread if row["models"] > 1 else NOTHING),
            ]
        )
    header = ["algorithm", "objectives", "models interfered", "patterns"]
    header += ["least worst Δ", "greatest worst Δ", "spread over models"]
    return Sheet("dependence", "Dependence on the model", header, rows)


def cost_sheet(frame: pandas.DataFrame) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.costs.summarise_costs`."""
    keys = (
        *("generation_seconds", "reward_seconds", "update_seconds", "training_tokens"),
        *("tokens_per_second", "backward_passes", "peak_memory_mb"),
    )
    header = ["algorithm", "model", "objectives", "seconds (least–most)"]
    header += [key.replace("_", " ").replace(" mb", " (MB)") for key in keys]
    rows = [
        [
            TextCell(algorithm(row)),
            TextCell(str(row["model"])),
            TextCell(str(row["objectives"])),
            TextCell(spanned(row, "seconds", 1)),
            *(TextCell(number(row[key], 0 if row[key] >= 1000 else 1)) for key in keys),
            TextCell(str(row["runs"])),
        ]
        for row in records(frame)
    ]
    return Sheet("cost", "Cost of training a cell", [*header, "runs"], rows)


def weights_line(weights: Mapping[str, float]) -> str:
    """Return the objectives' preference weights in words."""
    return "Weights: " + ", ".join(f"{name} {w:.3g}" for name, w in weights.items()) + "."


def rank_note(overall: Overall) -> str:
    """Say what the ranks are over where that is not everything."""
    if overall.ranked == overall.columns:
        return ""
    return (
        f"Ranks are over the {overall.ranked} of {overall.columns} objectives of models that every "
        "algorithm has a result for."
    )


def records(frame: pandas.DataFrame) -> list[dict[Hashable, Any]]:
    """Return the rows of a frame."""
    return frame.to_dict("records")


def algorithm(row: Row) -> str:
    """Return an algorithm's name, marked if it is a reference."""
    return str(row["algorithm"]) + (" (reference)" if row["reference"] else "")


def change(delta: float, high: float) -> str:
    """Return a change and half the width of its interval, which is symmetric."""
    return f"{number(delta, sign='+')} ± {number(high - delta)}"


def spanned(row: Row, key: str, digits: int, unit: str = "") -> str:
    """Return a value and the bounds of its interval, which need not be symmetric."""
    value = row[key] * (100 if unit else 1)
    if pandas.isna(value):
        return NOTHING
    return f"{number(value, digits)}{unit} ({_span(row, key, digits, unit)})"


def _span(row: Row, key: str, digits: int, unit: str = "") -> str:
    low, high = (row[f"{key}_{side}"] * (100 if unit else 1) for side in ("low", "high"))
    if pandas.isna(low) or pandas.isna(high):
        return "no interval"
    return f"{number(low, digits)}–{number(high, digits)}"


def _podium(
    values: ArrayLike, competing: ArrayLike, *, lower: bool = False, digits: int = 3
) -> list[int]:
    """Return 1 for the best competitors, 2 for the second best, as far as shown digits differ."""
    shown = np.asarray(values, dtype=float).round(digits) * (1 if lower else -1)
    shown = np.where(competing, shown, np.nan)
    known = np.sort(shown[~np.isnan(shown)])
    if len(known) < 2:  # one algorithm is not the best of anything
        return [0] * len(shown)
    best, second = known[:2]
    places = np.where(shown == best, 1, np.where(shown == second, 2, 0))
    return [int(place) for place in places]


def _objective(row: Row, place: int) -> TextCell:
    if pandas.isna(row["final"]):
        return TextCell(NOTHING)
    text = f"{number(row['final'])}, {change(row['delta'], row['delta_high'])}"
    return TextCell(text, bool(row["interfered"]), place)


def _worst(rows: Sequence[Row]) -> str:
    """Return the worst objective's change with its own interval."""
    row = min(rows, key=lambda row: (np.isnan(row["delta"]), row["delta"]))
    return change(row["delta"], row["delta_high"])


def _why(rows: Sequence[Row]) -> str:
    """Return what each interfered objective is attributed to; a dash where not diagnosed."""
    fell = [row for row in rows if row["interfered"]]
    return "; ".join(f"{r['objective']}: {r['attribution'] or NOTHING}" for r in fell) or NOTHING


def _filled(row: Sequence[TextCell], own: Sequence[str], header: Iterable[str]) -> list[TextCell]:
    """Return a row with a dash in each column of ``header`` that it lacks."""
    given = dict(zip(own, row, strict=True))
    return [given.get(name, TextCell(NOTHING)) for name in header]
