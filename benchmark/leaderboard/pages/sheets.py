"""Assemble the published tables, once for Markdown, LaTeX and the web page."""

from collections.abc import Sequence

import numpy as np
import pandas
from numpy.typing import NDArray

from benchmark.leaderboard.frames.against import BASELINE, SIGNIFICANT
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.frames.overall import Overall
from benchmark.leaderboard.frames.tuning import tuning_note
from benchmark.leaderboard.frames.verdicts import RANKED
from benchmark.leaderboard.pages.markdown import NOTHING
from benchmark.leaderboard.pages.notes import AGAINST, lead_note, rank_note, verdict_words
from benchmark.leaderboard.pages.places import WORST, group_sheet, matrix_sheet
from benchmark.leaderboard.pages.sheet import (
    Cell,
    Flag,
    Row,
    Sheet,
    algorithm,
    amount,
    change,
    count,
    part,
    ranked,
    records,
    spanned,
    transposed,
)
from benchmark.leaderboard.pages.tuning import tuning_sheet
from benchmark.leaderboard.results.cells import preference_weights
from benchmark.leaderboard.results.evidence import PLACE

CAPTIONS = {"model": "model", "objectives": "objective set", "estimator": "advantage estimator"}
MEAN = "mean worst gain"  # which a single failed run moves, and the interquartile mean may not
BY_MODEL = "by-model"  # for papers: on a page, each model has a section of its own


def all_sheets(frames: Frames) -> list[Sheet]:
    """Return every table that people read but the costs, in the order of a page."""
    sheets = [overall_sheet(frames.overall), plane_sheet(frames.overall)]
    if frames.against["p"].notna().any():  # there are seeds enough to test any
        sheets.append(against_sheet(frames.against))
    sheets += breakdown_sheets(frames.breakdown)
    if frames.summary["model"].nunique() > 1:
        sheets.append(dependence_sheet(frames.dependence))
    if frames.tuned is not None:
        sheets.append(tuning_sheet(frames.tuning, tuning_note(frames.tuned)))
    matrices = dict(iter(frames.matrices.groupby(PLACE, sort=False)))
    apart = dict(iter(frames.apart.groupby(PLACE, sort=False)))
    for place, group in frames.summary.groupby(PLACE, sort=False):
        model, objectives = map(str, place)
        weights = preference_weights(frames.results.expected.values(), model, objectives)
        attributed = frames.attributed
        sheets.append(group_sheet(group, weights, attributed=attributed, apart=apart.get(place)))
        if place in matrices:
            sheets.append(matrix_sheet(matrices[place]))
    return sheets


def overall_sheet(overall: Overall) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.frames.overall.compare`."""
    header, rows = _compared(overall.table)
    return Sheet("overall", "overall", "Overall", header, rows, note=lead_note(overall))


def plane_sheet(overall: Overall) -> Sheet:
    """Return the table of gain against loss, with what else is known of each algorithm."""
    frame, lines = overall.table, records(overall.table)
    competing = contending(frame)
    columns = {
        "algorithm": [algorithm(row) for row in lines],
        MEAN: [_bounded_change(row, "mean_worst_gain") for row in lines],
        "scalarized gain": ranked([_bounded_change(row, "gain") for row in lines], competing),
        WORST: ranked([_bounded_change(row, "worst_loss") for row in lines], competing),
        "Δm %": ranked([amount(row["delta_m"], 1, "+") for row in lines], competing, digits=1),
        "rose": [part(row["rose"], row["pairs"]) for row in lines],
        f"better than {BASELINE}": ranked(
            [spanned(row, "improvement", 0, percent=True) for row in lines], competing
        ),
        "mean rank": ranked(
            [spanned(row, "mean_rank", 2) for row in lines], competing, lower=True, digits=2
        ),
        "runs": [count(row["runs"]) for row in lines],
        "seeds": [count(row["seeds"]) for row in lines],
    }
    if frame["improvement"].isna().all():
        del columns[f"better than {BASELINE}"]
    if frame["worst_gain"].isna().all():
        del columns[MEAN]
    return Sheet(
        *("plane", "gain-and-loss", "Gain and loss", list(columns)),
        transposed(list(columns.values())),
        note=rank_note(overall),
    )


def _bounded_change(row: Row, key: str) -> Cell:
    value, low, high = (row[f"{key}{end}"] for end in ("", "_low", "_high"))
    return Cell(NOTHING) if pandas.isna(value) else change(value, low, high)


def contending(frame: pandas.DataFrame) -> NDArray[np.bool_]:
    """Say which rows may be the best of a column: who gained, and is no copy of another."""
    return np.asarray(frame["verdict"].isin(RANKED) & (frame["same_as"] == ""))


def _compared(frame: pandas.DataFrame) -> tuple[list[str], list[list[Cell]]]:
    """Return the header and the rows of algorithms compared, in the order of the primary metric."""
    lines, competing = records(frame), contending(frame)
    leads = competing & (frame["rank"] == 1).to_numpy() & (competing.sum() > 1)
    columns = {
        "algorithm": [algorithm(row) for row in lines],
        "rank": [amount(row["rank"], 0) for row in lines],
        "worst gain": [
            _bounded_change(row, "worst_gain")._replace(place=int(first))
            for row, first in zip(lines, leads, strict=True)
        ],
        "verdict": [Cell(verdict_words(row)) for row in lines],
        "succeeded": [part(row["succeeded"], row["places"]) for row in lines],
        "fell": [part(row["fell"], row["pairs"]) for row in lines],
        "lossy runs": [part(row["lossy_runs"], row["runs"]) for row in lines],
        "interference rate": ranked(
            [spanned(row, "interference_rate", 1, percent=True) for row in lines],
            competing,
            lower=True,
        ),
        "severity": ranked([spanned(row, "severity") for row in lines], competing, lower=True),
    }
    if frame["worst_gain"].isna().all():
        del columns["rank"], columns["worst gain"]
    return list(columns), transposed(list(columns.values()))


def against_sheet(frame: pandas.DataFrame) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.frames.against.against_baseline`."""
    rows = []
    for row in records(frame):
        flag = Flag.SIGNIFICANT if row["p_adjusted"] < SIGNIFICANT else Flag.NONE
        difference = change(*(row[f"difference{part}"] for part in ("", "_low", "_high")))
        numbers = [amount(row[key]) for key in ("p", "p_adjusted", "detectable")]
        counts = [count(row[key]) for key in ("places", "seeds")]
        named = Cell(str(row["algorithm"]))
        rows.append([named, difference._replace(flag=flag), *numbers, *counts])
    header = ["algorithm", f"worst Δ over {BASELINE}", "p", "adjusted", "detectable"]
    header += ["places", "seeds"]
    return Sheet("against", "against", f"Against {BASELINE}", header, rows, note=AGAINST)


def breakdown_sheets(frame: pandas.DataFrame) -> list[Sheet]:
    """Return the overall table by model, objective set and estimator, if there are several."""
    sheets = []
    for axis, rows in frame.groupby("axis", sort=False):
        if rows["value"].nunique() < 2:
            continue
        caption = CAPTIONS[str(axis)]
        parts = {
            str(value): _compared(group.reset_index(drop=True))
            for value, group in rows.groupby("value", sort=False)
        }
        header = max((own for own, _ in parts.values()), key=len)
        lines = [
            [Cell(value), *_filled(row, own, header)]
            for value, (own, part) in parts.items()
            for row in part
        ]
        sheets.append(Sheet("breakdown", f"by-{axis}", f"By {caption}", [caption, *header], lines))
    return sheets


def _filled(row: Sequence[Cell], own: Sequence[str], header: Sequence[str]) -> list[Cell]:
    """Return a row with a dash in each column of ``header`` that it lacks."""
    given = dict(zip(own, row, strict=True))
    return [given.get(name, Cell(NOTHING)) for name in header]


def dependence_sheet(frame: pandas.DataFrame) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.frames.dependence.model_dependence`."""
    rows = [
        [
            algorithm(row),
            Cell(str(row["objectives"])),
            Cell(f"{row['models_interfered']} of {row['models']}", row["models_interfered"]),
            count(row["patterns"]),
            amount(row["worst_change_min"], sign="+"),
            amount(row["worst_change_max"], sign="+"),
            spanned(row, "spread"),
        ]
        for row in records(frame)
    ]
    header = ["algorithm", "objectives", "models interfered", "patterns"]
    header += ["least worst Δ", "greatest worst Δ", "spread over models"]
    return Sheet("dependence", "dependence", "Dependence on the model", header, rows)


def cost_sheet(frame: pandas.DataFrame) -> Sheet:
    """Return the table of :func:`benchmark.leaderboard.results.costs.summarise_costs`."""
    keys = ["generation_seconds", "reward_seconds", "update_seconds", "training_tokens"]
    keys += ["tokens_per_second", "backward_passes", "peak_memory_mb"]
    rows = [
        [
            algorithm(row),
            Cell(str(row["model"])),
            Cell(str(row["objectives"])),
            spanned(row, "seconds", 1),
            *(amount(row[key], 0 if row[key] >= 1000 else 1) for key in keys),
            count(row["runs"]),
        ]
        for row in records(frame)
    ]
    header = ["algorithm", "model", "objectives", "seconds (least–most)"]
    header += [key.replace("_", " ").replace(" mb", " (MB)") for key in keys]
    return Sheet("cost", "cost", "Cost of training a cell", [*header, "runs"], rows)
