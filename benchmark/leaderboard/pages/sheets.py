"""The published tables as plain rows of text, which Markdown and LaTeX both are made of."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas

from benchmark.leaderboard.frames.against import BASELINE, SIGNIFICANT
from benchmark.leaderboard.frames.overall import Overall
from benchmark.leaderboard.frames.summary import PLACE
from benchmark.leaderboard.pages.markdown import NOTHING, number
from benchmark.leaderboard.pages.sheet import (
    Row,
    Sheet,
    TextCell,
    algorithm,
    change,
    podium,
    records,
    span,
    spanned,
)

_ABSENT: Row = {"final": np.nan}  # an objective that an algorithm has no result for
CAPTIONS = {"model": "model", "objectives": "objective set", "estimator": "advantage estimator"}


def overall_sheet(frame: pandas.DataFrame, name: str, caption: str) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.frames.overall.compare`."""
    competing = ~frame["reference"]
    columns = {
        "mean rank": podium(frame["mean_rank"], competing, lower=True, digits=2),
        "interference rate": podium(frame["interference_rate"], competing, lower=True),
        "severity": podium(frame["severity"], competing, lower=True),
        "better than linear": podium(frame["improvement"], competing),
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


def against_sheet(frame: pandas.DataFrame) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.frames.against.against_baseline`."""
    rows = []
    for row in records(frame):
        marked = "" if not row["p_adjusted"] < SIGNIFICANT else " *"
        rows.append(
            [
                TextCell(str(row["algorithm"])),
                TextCell(change(row["difference"], row["difference_high"]) + marked),
                TextCell(number(row["p"])),
                TextCell(number(row["p_adjusted"])),
                TextCell(number(row["detectable"])),
                TextCell(str(row["places"])),
                TextCell(str(row["seeds"])),
            ]
        )
    header = ["algorithm", f"worst Δ over {BASELINE}", "p", "adjusted", "detectable"]
    return Sheet("against", f"Against {BASELINE}", [*header, "places", "seeds"], rows)


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
        return podium([row[key] for row in first], competing, digits=digits)

    finals = {
        name: podium([row.get(name, _ABSENT)["final"] for row in by_name], competing)
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
    """Return the table of :func:`benchmark.leaderboard.frames.dependence.model_dependence`."""
    rows = []
    for row in records(frame):
        spread = f"{number(row['spread'])} ({span(row, 'spread', 3)})"
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
    """Return the table of :func:`benchmark.leaderboard.results.costs.summarise_costs`."""
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
