"""Gather the values of the main study with tuned settings from what is published of it."""

import json
from pathlib import Path
from typing import Any

import predictions_tuned
from facts_laboratory import plus_minus
from laboratory import EVERY, RARE, RULES
from predictions_tuned import Tuning, order
from wording import count

from benchmark.interference.intervals import Interval
from benchmark.leaderboard.frames.gains import gain_interval
from benchmark.leaderboard.pages.markdown import minus, number

Facts = dict[str, Any]


def gather(folder: Path) -> Facts | None:
    """Return the values of the tuned study; None if it is not published whole."""
    found = predictions_tuned.read(folder)
    if found is None or not found.whole:
        return None
    rules = [_rule(found, rule) for rule in _ordered(found)]
    return {
        "tried": len(found.tried),
        "trials": int(found.trials.groupby("algorithm").size().max()),
        "changed": len(found.leads),
        "linear_stays": "linear" not in found.leads,
        "rules": rules,
        "gains": {row["rule"]: row["tuned"] for row in rules},
        "order": minus(number(order(found), 2)),
    }


def _ordered(found: Tuning) -> list[str]:
    """Return the rules, those with the largest tuned gain first."""
    gains = found.tuned.gains(EVERY, RULES)
    return sorted(RULES, key=lambda rule: -gain_interval(gains[rule]).estimate)


def _rule(found: Tuning, rule: str) -> Facts:
    """Return a rule's row: as published, tuned, the difference, the setting, where it found."""
    sides = [runs.gains(EVERY, (rule,))[rule] for runs in (found.published, found.tuned)]
    published, tuned = (plus_minus(gain_interval(each)) for each in sides)
    ends = found.tuned.found(RARE, (rule,))
    return {
        "rule": rule,
        "published": published,
        "tuned": tuned,
        "more": plus_minus(found.difference(rule)) if rule in found.leads else "–",
        "setting": _setting(found, rule),
        "lead": minus(number(found.leads[rule], 2, "+")) if rule in found.leads else "–",
        "less_linear": _against(found, rule),
        "found": count(ends.tolist()),
    }


def _against(found: Tuning, rule: str) -> str:
    if rule == "linear":
        return "–"
    difference: Interval = found.tuned.difference(EVERY, rule, "linear")
    return plus_minus(difference)


def _setting(found: Tuning, rule: str) -> str:
    rows = found.trials[(found.trials["algorithm"] == rule) & found.trials["chosen"]]
    settings = json.loads(rows["setting"].iloc[0]) if len(rows) else {}
    if not settings:
        return "as published" if rule in found.tried else "nothing to tune"
    return ", ".join(f"{name} {_value(value)}" for name, value in settings.items())


def _value(value: object) -> str:
    """Return a setting as it is written; of equal ones of several objectives, one."""
    if isinstance(value, list) and len(set(value)) == 1:
        return str(value[0])
    return json.dumps(value)
