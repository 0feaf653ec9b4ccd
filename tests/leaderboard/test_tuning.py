"""What was tried before a tuned study: its table, its file, and nothing of it elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.leaderboard.files import DICTIONARY, TUNING
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.frames.tuning import REFERENCES, tuning_frame
from benchmark.leaderboard.pages.dictionary import COLUMNS
from benchmark.leaderboard.pages.sheets import all_sheets
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.writing import contents, write_leaderboard

pytestmark = pytest.mark.xdist_group("site")


def trial(gain: float | None, **parameters: Any) -> dict[str, Any]:
    bounds = {"low": None, "high": None} if gain is None else {"low": gain - 1, "high": gain + 1}
    spent = {"runs": 2, "steps": 40, "tokens": 1500.0, "backward_passes": 120.0, "hours": 0.25}
    return {"parameters": parameters, "worst_gain": gain, "spent": spent, **bounds}


TRIALS = {
    "linear": [trial(0.1), trial(0.4, training_weights=[0.7, 0.3]), trial(0.2)],
    "ctwa": [trial(0.3), trial(None, step_size=9), trial(0.2)],
    "gdpo": [trial(0.25)],
}
RECORD: dict[str, Any] = {
    "study": "quick",
    "models": ["m"],
    "seeds": [7, 8],
    "split": "validation",
    "problems": 64,
    "algorithms": {
        name: {"chosen": chosen, "trials": TRIALS[name]}
        for name, chosen in (("linear", 1), ("ctwa", 0), ("gdpo", 0))
    },
    "references": trial(None)["spent"],
    "notes": ["A is below B."],
}


def test_a_row_a_trial_with_the_curve_of_budgets() -> None:
    frame = tuning_frame(RECORD)
    assert set(frame.columns) <= set(COLUMNS)
    linear = frame[frame["algorithm"] == "linear"]
    # The mean; of pairs of .1, .2 and .4 the higher is .2 once and .4 twice; the highest.
    assert linear["best_of"].tolist() == pytest.approx([0.7 / 3, 1 / 3, 0.4])
    assert linear["chosen"].tolist() == [False, True, False]
    assert json.loads(linear["setting"].iloc[1]) == {"training_weights": [0.7, 0.3]}
    ctwa = frame[frame["algorithm"] == "ctwa"]
    assert ctwa["worst_gain"].isna().tolist() == [False, True, False]
    assert ctwa["best_of"].iloc[0] == pytest.approx((0.3 + 0.2 + 0.2) / 3)
    assert frame["algorithm"].iloc[-1] == REFERENCES


def test_the_table_shows_spread_curve_and_cost(results: Table) -> None:
    (sheet,) = (s for s in all_sheets(Frames(results, RECORD)) if s.kind == "tuning")
    assert sheet.header[5:8] == ["best of 1", "best of 2", "best of 3"]
    rows = {row[0].text: [cell.words for cell in row[1:]] for row in sheet.rows}
    budget = ["120", "4500", "360", "0.75"]
    weights = "training_weights [0.7, 0.3]"
    curve = ["0.233", "0.333", "0.400"]
    assert rows["linear"] == ["3", "0.100", "0.400", "0.100–0.400", *curve, weights, *budget]
    assert rows["ctwa"][1:4] == ["0.300", "0.300", "0.200–0.300"]
    assert rows["gdpo"][:7] == ["1", "0.250", "0.250", "–", "0.250", "–", "–"]
    assert rows[REFERENCES] == ["–"] * 8 + ["40", "1500", "120", "0.25"]
    assert "on m with training seeds 7, 8" in sheet.note
    assert sheet.note.endswith("A is below B.")


def test_only_its_own_parts_of_a_leaderboard_are_new(results: Table) -> None:
    plain, tuned = contents(Frames(results)), contents(Frames(results, RECORD))
    assert tuned.keys() - plain.keys() == {TUNING}
    changed = {name for name in plain if plain[name] != tuned[name]}
    assert changed == {DICTIONARY, "leaderboard.md", "tables.tex"}
    assert len(tuned[TUNING].splitlines()) == 1 + 7 + 1


def test_its_file_goes_when_the_record_does(results: Table, tmp_path: Path) -> None:
    write_leaderboard(Frames(results, RECORD), tmp_path, ["csv"])
    assert (tmp_path / TUNING).is_file()
    write_leaderboard(Frames(results), tmp_path, ["csv"])
    assert not (tmp_path / TUNING).exists()
