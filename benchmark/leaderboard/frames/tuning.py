"""Tabulate the trials of settings that a tuned study rests on."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas

from benchmark.interference.budgets import expected_best

SPENT = ("runs", "steps", "training_tokens", "backward_passes", "hours")
RECORDED = {"training_tokens": "tokens"}  # under which names the record has them
REFERENCES = "all references"  # no algorithm's id
COLUMNS = [
    *("algorithm", "trial", "setting", "chosen"),
    *("worst_gain", "worst_gain_low", "worst_gain_high", "best_of", *SPENT),
]


def tuning_frame(record: Mapping[str, Any]) -> pandas.DataFrame:
    """Return a row per algorithm and trial, and for the references together a row without a gain.

    ``best_of``, in the row of trial k − 1, is the expected best of k trials
    (:func:`benchmark.interference.budgets.expected_best`).

    Args:
        record: What a tuned study's file says under ``tuned``, as plain JSON values.
    """
    rows = []
    for name, tuned in record["algorithms"].items():
        scores = [np.nan if t["worst_gain"] is None else t["worst_gain"] for t in tuned["trials"]]
        curve = expected_best(scores)
        for number, trial in enumerate(tuned["trials"]):
            rows.append(
                {
                    "algorithm": name,
                    "trial": number,
                    "setting": json.dumps(trial["parameters"], sort_keys=True),
                    "chosen": number == tuned["chosen"],
                    "worst_gain": trial["worst_gain"],
                    "worst_gain_low": trial["low"],
                    "worst_gain_high": trial["high"],
                    "best_of": curve[number],
                    **_spent(trial["spent"]),
                }
            )
    alone = {"algorithm": REFERENCES, "trial": 0, "setting": "{}", "chosen": False}
    rows.append(alone | _spent(record["references"]))
    frame = pandas.DataFrame(rows, columns=COLUMNS)
    numbers = COLUMNS[COLUMNS.index("worst_gain") :]
    return frame.astype(dict.fromkeys(numbers, float) | {"runs": int})


def _spent(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[RECORDED.get(name, name)] for name in SPENT}


def tuning_note(record: Mapping[str, Any]) -> str:
    """Return how the settings were chosen, in sentences."""
    where = ", ".join(record["models"])
    seeds = ", ".join(map(str, record["seeds"]))
    return " ".join(
        [
            f"Settings of the study {record['study']} were tried on {where} with training seeds "
            f"{seeds}, none of which the other tables have, and chosen by worst gain on "
            f"{record['problems']} problems of the {record['split']} split; of equals the first, "
            "the published one, stays. Best of k: the expected best of k of the trials. What was "
            "spent includes all trials of an algorithm.",
            *record["notes"],
        ]
    )
