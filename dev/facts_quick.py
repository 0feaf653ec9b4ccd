"""Gather the values of the quick study and its diagnosis, from what is published of it."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from laboratory import MODEL
from wording import causes_of, estimate, percent

from benchmark.diagnosis.resolution import CERTAIN
from benchmark.interference.intervals import Interval
from benchmark.interference.shares import cluster_interval
from benchmark.leaderboard.reading import read_table, typed
from benchmark.leaderboard.results.diagnosed import without_repeats
from benchmark.leaderboard.results.rows import COLUMNS

Facts = dict[str, Any]
LAW = {"update": "derivative along the update", "advantage": "covariance with the advantage"}
LAW |= {"weight": "covariance with the completion weight"}
BY_MODEL = ("update", "advantage")
ALONE = 90  # per cent of a decline that one cause has, for it to count as alone or nearly


def gather(folder: Path) -> Facts:
    """Return the values of the quick study, from its published folder."""
    cells = typed(read_table(folder, "cells.csv", COLUMNS))
    diagnosis = folder / "diagnosis"
    changes = without_repeats(pandas.read_csv(diagnosis / "changes.csv"))
    return {
        "cells": len(cells.drop_duplicates(["algorithm", *MODEL])),
        "models": cells["model"].nunique(),
        "finals": _finals(cells),
        "steps": changes["step"].nunique(),
        "law": _law(pandas.read_csv(diagnosis / "law.csv", dtype={"value": str})),
        **_range(changes),
        "law_by_model": _by_model(changes),
        **_against_and_for(changes, diagnosis, cells),
        "causes": _causes(pandas.read_csv(diagnosis / "attribution.csv"), cells),
        "turned": _turned(pandas.read_csv(diagnosis / "turned.csv")),
    }


def _finals(cells: pandas.DataFrame) -> Facts:
    """Return the finals of each rule and model; what was interfered with is marked."""
    models = list(cells["model"].unique())
    rules = list(cells.loc[~cells["reference"], "algorithm"].unique())
    rows = []
    for rule in rules:
        own = cells[cells["algorithm"] == rule]
        rows.append({"rule": rule, "cells": [_marked(own[own["model"] == m]) for m in models]})
    start = cells[cells["algorithm"] == rules[0]]
    before = [
        " ".join(f"{each:.2f}" for each in start.loc[start["model"] == model, "initial"])
        for model in models
    ]
    return {"models": models, "before": before, "rows": rows}


def _marked(rows: pandas.DataFrame) -> str:
    pairs = zip(rows["final"], rows["interfered"], strict=True)
    return " ".join(f"**{final:.2f} ▼**" if hit else f"{final:.2f}" for final, hit in pairs)


def _law(table: pandas.DataFrame) -> Facts:
    """Return the law's measures at the steps as made, over all algorithms."""
    rows = table[(table["algorithm"] == "all") & (table["split"] == "step size")]
    rows = rows[rows["value"].astype(float) == 1].set_index("kind")
    kinds = [
        {
            "name": name,
            "all": percent(named(rows.loc[kind], "sign_agreement")),
            "changed": percent(named(rows.loc[kind], "changed_agreement")),
            "slope": estimate(named(rows.loc[kind], "slope"), sign=""),
            "correlation": estimate(named(rows.loc[kind], "rank_correlation"), sign=""),
        }
        for kind, name in LAW.items()
    ]
    own = rows.loc["advantage"]
    return {
        "kinds": kinds,
        "records": int(own["records"]),
        "resolved": int(own["changed"]),
        "lowered": int(own["lowered"]),
        "derivative": kinds[0]["changed"],
        "covariance": kinds[1]["changed"],
    }


def named(row: Mapping[Hashable, Any] | pandas.Series, name: str) -> Interval:
    """Return the measure ``name`` of a row, with its interval."""
    return Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _by_model(changes: pandas.DataFrame) -> list[Facts]:
    """Return the law's sign agreement where the change is resolved, by model."""
    return [
        {"model": model, "shares": [percent(_agreement(own, kind)) for kind in BY_MODEL]}
        for model, own in resolved(changes).groupby("model", sort=False)
    ]


def _range(changes: pandas.DataFrame) -> Facts:
    """Return between which shares the covariance's agreement lies, by model."""
    found = [
        _agreement(own, "advantage").estimate
        for _, own in resolved(changes).groupby("model", sort=False)
    ]
    return {"least_agreement": f"{min(found):.0%}", "most_agreement": f"{max(found):.0%}"}


def _against_and_for(changes: pandas.DataFrame, diagnosis: Path, cells: pandas.DataFrame) -> Facts:
    """Return what else is said of the study: of falls asked for, of patterns, of CTWA's weights."""
    asked = resolved(changes)
    asked = asked[asked["advantage"] < 0]
    own = cells[(cells["algorithm"] == "linear") & cells["fell_in_run"]]
    given_up = own.groupby("model", sort=False)["objective"].agg(", ".join)
    traces = [pandas.read_csv(file) for file in sorted(diagnosis.glob("traces-*.csv"))]
    weights = pandas.concat(traces, ignore_index=True)
    weights = weights[weights["metric"].str.startswith("scalarizer/weight/")]
    weights = weights[weights["algorithm"] == "ctwa"]
    ends = (weights["step"].min(), weights["step"].max())
    first, last = (weights[weights["step"] == end] for end in ends)
    return {
        "falls": percent(_agreement(asked, "advantage")),
        "given_up": [{"model": model, "objectives": names} for model, names in given_up.items()],
        "weight_first": f"{first['value'].max():.2f}",
        "weight_last": f"{last['value'].max():.2f}",
        "weight_step": int(last["step"].max()),
    }


def resolved(changes: pandas.DataFrame) -> pandas.DataFrame:
    """Return the changes by steps as made, of signals that they raise, that differ from 0."""
    made = changes[(changes["multiple"] == 1) & ~changes["lowered"]]
    return made[made["realised"].abs() > CERTAIN * made["standard_error"]]


def _agreement(records: pandas.DataFrame, kind: str) -> Interval:
    known = records[records[kind] * records["realised"] != 0].dropna(subset=[kind])
    agrees = np.sign(known[kind]) == np.sign(known["realised"])
    cells = list(known[["model", "algorithm", "seed"]].itertuples(index=False, name=None))
    return cluster_interval(agrees.astype(float), np.ones(len(known)), cells)


def _causes(table: pandas.DataFrame, cells: pandas.DataFrame) -> Facts:
    """Return the main causes of what competitors interfered with."""
    competing = cells.loc[~cells["reference"], "algorithm"].unique()
    hit = table[table["interfered"] & table["algorithm"].isin(competing)]
    shares = [dict(_parts(str(why))) for why in hit["why"]]
    main = [max(each, key=lambda cause: each[cause]) for each in shares]
    models = hit["model"].tolist()
    alone = sum(max(each.values()) >= ALONE for each in shares)
    fell = hit["delta"].abs()
    rows = [
        {
            "cause": cause,
            "count": main.count(cause),
            "share": percent(_of_declines([each == cause for each in main], models)),
        }
        for cause in dict.fromkeys(main)
    ]
    return {
        "rows": rows,
        "declines": len(hit),
        "alone": alone,
        "mixed": len(hit) - alone,
        "nearly": f"{ALONE}%",
        "covered": f"{100 * float((hit['coverage'] * fell).sum() / fell.sum()):.0f}%",
        "least": f"{100 * hit['coverage'].min():.0f}%",
        "most": f"{100 * hit['coverage'].max():.0f}%",
    }


def _parts(why: str) -> list[tuple[str, int]]:
    return list(causes_of(why).items()) or [(why, 100)]


def _of_declines(those: Sequence[bool], models: Sequence[str]) -> Interval:
    """Return the share of declines; those of one model are no trials."""
    return cluster_interval(np.array(those, dtype=float), np.ones(len(those)), list(models))


def _turned(table: pandas.DataFrame) -> Facts:
    return {"steps": int(table["steps"].iloc[0]), "rows": table.to_dict("records")}
