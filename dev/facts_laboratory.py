"""Gather the values of the main study, ``laboratory``, from what is published of it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import laboratory
import pandas
from laboratory import COMMON, EVERY, MODEL, MODELS, PLANTED, RARE, REFERENCES, RULES, Runs, share
from scipy.stats import t
from wording import count, percent

from benchmark.interference.intervals import UNKNOWN, Interval
from benchmark.leaderboard.frames.gains import Gains, difference_interval
from benchmark.leaderboard.pages.markdown import minus, number
from benchmark.models.tiny.recipes import RECIPES

Facts = dict[str, Any]
KINDS = {"planted": PLANTED, "rare": RARE, "common": COMMON}
ERROR = 0.025  # at each end of an interval
SERVES_ALL = "compact"  # the style that serves all three objectives, if its answers are right


def gather(folder: Path) -> Facts:
    """Return the values of the main study, from its published folder."""
    runs = laboratory.read(folder)
    order = list(_ordered(folder)["algorithm"])
    counts = [_counts(runs, rule) for rule in order]
    return {
        "runs": len(runs.cells.drop_duplicates(["algorithm", *MODEL])),
        "gains": _gains(folder, order, runs),
        "counts": counts,
        "board": [_line(row, runs) for row in _ordered(folder).to_dict("records")],
        "mixtures": [_mixture(runs, name) for name in EVERY],
        "above": _above(folder),
        "found_planted": percent(share(runs.found(PLANTED, RULES))),
        "adopted": _by_rule({row["rule"]: row["adopted"] for row in counts}),
        "means": _means(folder),
        "scores": _scores(folder),
        "none_leads": bool((_ordered(folder)["rank"] > 1).all()),
        "still": _still(runs),
        "better": {
            name: _better(runs.gains(mixtures, RULES))
            for name, mixtures in (("all", EVERY), ("planted", PLANTED), ("rare", RARE))
        },
        **_leading(runs, order),
    }


def _ordered(folder: Path) -> pandas.DataFrame:
    table = pandas.read_csv(folder / "leaderboard.csv", keep_default_na=False, na_values=[""])
    return table[~table["reference"]].reset_index(drop=True)


def _by_mixture(folder: Path) -> pandas.DataFrame:
    table = pandas.read_csv(folder / "breakdown.csv", keep_default_na=False, na_values=[""])
    return table[(table["axis"] == "model") & ~table["reference"]]


def _gains(folder: Path, order: Sequence[str], runs: Runs) -> list[Facts]:
    """Return a row per rule: the primary metric on each mixture and over all, then less linear's.

    Differences are over all models, and over those with a rare style.
    """
    sides = [runs.gains(mixtures, RULES) for mixtures in (EVERY, RARE)]
    own = _by_mixture(folder).set_index(["algorithm", "value"])
    everything = _ordered(folder).set_index("algorithm")
    columns = ["worst_gain", "worst_gain_low", "worst_gain_high"]
    rows = []
    for rule in order:
        found = {name: _interval(own, (rule, name), columns) for name in EVERY}
        found["all"] = _interval(everything, rule, columns)
        cells = [plus_minus(each) for each in found.values()]
        rows.append({"rule": rule, "cells": cells + [_less_linear(side, rule) for side in sides]})
    return rows


def _less_linear(gains: Mapping[str, Gains], rule: str) -> str:
    if rule == "linear" or not {rule, "linear"} <= gains.keys():
        return "–"
    return plus_minus(difference_interval(gains[rule], gains["linear"]))


def _interval(table: pandas.DataFrame, key: Any, columns: Sequence[str]) -> Interval:
    if key not in table.index:
        return UNKNOWN
    return Interval(*(float(table.loc[key, name]) for name in columns))


def plus_minus(found: Interval) -> str:
    """Return ``+0.20 ± 0.10``, bold if the interval lies above 0."""
    text = minus(number(found.estimate, 2, "+"))
    if not math.isnan(found.low):
        text = f"{text} ± {number(found.high - found.estimate, 2)}"
    return f"**{text}**" if found.low > 0 else text


def _above(folder: Path) -> Facts:
    """Return on how many mixtures of each kind rules have a gain above 0 by its interval."""
    table = _by_mixture(folder)
    above = table[table["worst_gain_low"] > 0]
    return {
        kind: {
            "count": int(above["value"].isin(names).sum()),
            "of": int(table["value"].isin(names).sum()),
        }
        for kind, names in KINDS.items()
    }


def _still(runs: Runs) -> list[Facts]:
    """Return the rules with models on which no objective moved at all, and on how many."""
    cells = runs.of(EVERY, RULES)
    moved = (
        (cells["delta"] != 0).groupby([cells["algorithm"], *(cells[key] for key in MODEL)]).any()
    )
    found = [(rule, ~moved.loc[rule]) for rule in RULES if rule in moved.index]
    return [
        {"rule": rule, "models": f"{still.sum()} of {len(still)}"}
        for rule, still in found
        if still.any()
    ]


def _better(gains: Mapping[str, Gains]) -> Facts:
    """Return the rules whose gain exceeds linear's, by intervals that count how many there are.

    Bonferroni's: as much wider as Student's quantile is for an error shared out among the rules.
    """
    others = [rule for rule in RULES if rule != "linear" and {rule, "linear"} <= gains.keys()]
    degrees = len(EVERY) * (MODELS - 1)
    wider = t.ppf(1 - ERROR / max(1, len(others)), degrees) / t.ppf(1 - ERROR, degrees)
    differences = {rule: difference_interval(gains[rule], gains["linear"]) for rule in others}
    found = [
        rule
        for rule, each in differences.items()
        if each.estimate > wider * (each.estimate - each.low)
    ]
    return {"rules": ", ".join(f"`{rule}`" for rule in found) or "none", "of": len(others)}


def _adopted(runs: Runs, rule: str) -> str:
    """Return on how many models with a rare style completions end short and clear, right or not."""
    cells = runs.of(RARE, (rule,))
    style = cells[cells["objective"] != "accuracy"]
    ends = style.groupby(["algorithm", *MODEL], sort=False)["final"].min()
    return count((ends >= laboratory.SERVED).tolist())


def _means(folder: Path) -> Facts:
    """Return each rule's plain mean of the primary metric over all runs, as text."""
    means = _ordered(folder).set_index("algorithm")["mean_worst_gain"]
    return _by_rule({str(rule): minus(number(each, 2, "+")) for rule, each in means.items()})


def _scores(folder: Path) -> Facts:
    """Return how much each rule raised the weighted score on the first planted mixture."""
    table = _by_mixture(folder)
    own = table[table["value"] == PLANTED[0]].set_index("algorithm")["gain"]
    return _by_rule({rule: minus(number(float(own[rule]), 2, "+")) for rule in own.index})


def _by_rule(texts: Mapping[str, str]) -> Facts:
    """Return texts under the names of rules, as a template can say them."""
    return {rule.replace("-", "_"): text for rule, text in texts.items()}


def _counts(runs: Runs, rule: str) -> Facts:
    """Return how often a rule found the style, and lost an objective, by kind of mixture."""
    found = {f"found_{kind}": runs.found(names, (rule,)) for kind, names in KINDS.items()}
    lost = {f"lost_{kind}": runs.lost(names, (rule,)) for kind, names in KINDS.items()}
    told = {key: count(each.tolist()) for key, each in (found | lost).items()}
    return {"rule": rule, "adopted": _adopted(runs, rule), **told}


def _line(row: dict[Any, Any], runs: Runs) -> Facts:
    """Return a rule's row of the main table."""
    rule = str(row["algorithm"])
    gain = Interval(*(row[f"worst_gain{end}"] for end in ("", "_low", "_high")))
    return {
        **_counts(runs, rule),
        "rank": number(row["rank"], 0),
        "gain": plus_minus(gain),
        "verdict": row["verdict"],
    }


def _mixture(runs: Runs, name: str) -> Facts:
    """Return what the models of a mixture do before training, and after it with ``linear``."""
    before = runs.of((name,), (*RULES, *REFERENCES)).groupby("objective", sort=False)["initial"]
    after = runs.of((name,), ("linear",)).groupby("objective", sort=False)["final"]
    return {
        "name": name,
        "taught": serving(name),
        "before": ", ".join(f"{value:.2f}" for value in before.mean()),
        "after": ", ".join(f"{value:.2f}" for value in after.mean()) or "–",
        "lost": count(runs.lost((name,), ("linear",)).tolist()),
    }


def _leading(runs: Runs, order: Sequence[str]) -> Facts:
    """Return which rules found the rare style most often, and ``linear`` beside them."""
    found = {rule: runs.found(RARE, (rule,)) for rule in order}
    most = max((int(each.sum()) for each in found.values()), default=0)
    finders = [rule for rule, each in found.items() if most and each.sum() == most]
    return {
        "finders": ", ".join(f"`{rule}`" for rule in finders),
        "found_most": count(found[finders[0]].tolist()) if finders else "",
        "found_linear": count(runs.found(RARE, ("linear",)).tolist()),
        "kept_linear": count((~runs.lost(COMMON, ("linear",))).tolist()),
        "lost_linear": count(runs.lost(PLANTED, ("linear",)).tolist()),
    }


def serving(recipe: str) -> str:
    """Return the share of a recipe's answers in the style that serves all objectives."""
    mixture = RECIPES[recipe].mixture
    whole = sum(part.share for part in mixture)
    own = sum(p.share for p in mixture if p.style.__name__ == SERVES_ALL and p.right == 1)
    return f"{100 * own / whole:.0f}%"
