"""The predictions of the study `laboratory` are met and missed by the rules written beforehand."""

import math
from pathlib import Path

import laboratory
import pandas
import predictions
import predictions_laboratory
import pytest
from laboratory import COMMON, EVERY, PLANTED, RARE, Runs
from predictions import Outcome
from predictions_laboratory import CHECKS

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames.gains import (
    alike,
    difference_interval,
    gain_interval,
    run_gains,
    scales,
)
from benchmark.study import load_study

from .made_up_laboratory import LOST, SERVED, Changes, Results, made_up

ROSE = (0.6, 0.6, 0.4)  # by a little, of everything


def outcome(number: int, changes: Changes | None = None) -> Outcome:
    return CHECKS[number](Runs(made_up(changes)))


def first(count: int, those: tuple[float, ...], others: tuple[float, ...]) -> Results:
    return lambda number: those if number < count else others


def on(mixtures: tuple[str, ...], rule: str, finals: tuple[float, ...] | Results) -> Changes:
    return {(rule, mixture): finals for mixture in mixtures}


MISSED = {
    "1, a rule gains": (1, on(PLANTED[1:], "dvao", ROSE)),
    "1, linear keeps three": (1, on(PLANTED[:1], "linear", first(3, SERVED, LOST))),
    "2, linear loses two": (2, on(COMMON, "linear", first(2, LOST, SERVED))),
    "2, linear finds two": (2, on(COMMON, "linear", first(3, ROSE, SERVED))),
    "3, linear finds three": (3, on(RARE[:1], "linear", first(3, SERVED, LOST))),
    "4, nobody finds": (4, on(RARE, "upgrad", LOST) | on(RARE, "mgda-normalized", LOST)),
    "4, as often": (4, on(RARE, "linear", SERVED) | on(RARE, "ctwa", SERVED)
                    | on(RARE, "lagrangian", SERVED) | on(RARE, "mo_grpo", SERVED)),
    "5, gains differ": (5, on(EVERY, "ctwa", ROSE)),
    "5, finals differ": (5, on(EVERY, "ctwa", (0.75, 0.7, 0.1))),
    "6, alike": (6, on(RARE, "upgrad", LOST) | on(PLANTED, "upgrad", LOST)),
    "7, another trains less": (7, on(EVERY, "dvao", (0.5, 0.5, 0.3))),
    "9, it finds four": (9, on(RARE, "foresight", first(2, SERVED, ROSE))),
    "9, linear gains as much": (9, on(RARE, "linear", SERVED)),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> pandas.DataFrame:
    return made_up()


@pytest.mark.parametrize("number", CHECKS)
def test_each_prediction_can_be_met(whole: pandas.DataFrame, number: int) -> None:
    assert CHECKS[number](Runs(whole)).verdict == "met"


@pytest.mark.parametrize(("number", "changes"), MISSED.values(), ids=MISSED.keys())
def test_each_prediction_can_be_missed(number: int, changes: Changes) -> None:
    assert outcome(number, changes).verdict == "missed"


def test_the_same_order_of_rules_is_missed() -> None:
    order = {rule: 0.02 * place for place, rule in enumerate(laboratory.TEN)}
    changes = {
        (rule, mixture): (0.9, 0.9, 0.1 + gain)
        for rule, gain in order.items()
        for mixture in (*PLANTED, *RARE)
    }
    assert outcome(8, changes).verdict == "missed"


@pytest.mark.parametrize("number", CHECKS)
def test_a_missing_run_leaves_undecided(whole: pandas.DataFrame, number: int) -> None:
    rules = {3: "linear", 2: "linear", 4: "mo_grpo", 7: "dvao", 9: "foresight"}
    rule = rules.get(number, "upgrad" if number == 6 else "linear")
    last = whole["seed"] == whole["seed"].max()
    left = whole[~(last & (whole["algorithm"] == rule))].reset_index(drop=True)
    assert CHECKS[number](Runs(left)).verdict == "undecided"


@pytest.mark.parametrize("number", [1, 5, 6, 8, 9])
def test_a_missing_scale_leaves_undecided(whole: pandas.DataFrame, number: int) -> None:
    left = whole[whole["algorithm"] != "single-clarity"].reset_index(drop=True)
    assert CHECKS[number](Runs(left)).verdict == "undecided"


def test_nothing_trained_decides_nothing(whole: pandas.DataFrame) -> None:
    found = predictions_laboratory.check(Runs(whole.iloc[:0]))
    assert {each.verdict for each in found.values()} == {"undecided"}


def test_the_limits_belong_to_their_side() -> None:
    eight = on(PLANTED[:1], "linear", first(2, SERVED, LOST))
    assert outcome(1, eight).verdict == "met"
    assert outcome(3, on(RARE[:1], "linear", first(2, SERVED, LOST))).verdict == "met"
    assert outcome(9, on(RARE[:1], "foresight", ROSE)).verdict == "met"  # five of ten


def test_found_means_every_objective(whole: pandas.DataFrame) -> None:
    runs = Runs(made_up(on(RARE, "linear", (0.95, 0.95, 0.75))))
    assert not runs.found(RARE, ("linear",)).any()
    assert runs.found(RARE, ("upgrad",)).all()


def test_gains_are_those_of_the_published_leaderboard() -> None:
    folder = laboratory.PUBLISHED.with_name("quick")
    published = pandas.read_csv(folder / "leaderboard.csv").set_index("algorithm")
    cells = laboratory.read(folder).cells
    for rule, gains in run_gains(cells, scales(cells)).items():
        columns = ["worst_gain", "worst_gain_low", "worst_gain_high"]
        assert list(gain_interval(gains)) == pytest.approx(
            list(published.loc[rule, columns]), abs=1e-5
        )


def test_a_difference_is_alike_where_its_interval_holds_zero(whole: pandas.DataFrame) -> None:
    gains = Runs(whole).gains(RARE, laboratory.RULES)
    for other in ("ctwa", "upgrad", "dvao"):
        _, low, high = difference_interval(gains["linear"], gains[other])
        assert alike(gains["linear"], gains[other]) == (low <= 0 <= high)
    assert not alike(gains["linear"], gains["upgrad"])


def test_rules_and_mixtures_are_those_of_the_study() -> None:
    cells = load_study("laboratory").cells
    assert {cell.algorithm.id for cell in cells} == {*laboratory.RULES, *laboratory.REFERENCES}
    models = {cell.model for cell in cells}
    assert models == {f"{name}.{k + 1}" for name in EVERY for k in range(laboratory.MODELS)}


def test_predictions_are_those_written_down() -> None:
    texts = predictions.written("laboratory", CHECKS)
    assert list(texts) == list(CHECKS)
    assert texts[6].startswith("Over all 25 models, `upgrad`")


def test_the_correlation_has_an_interval_over_models(whole: pandas.DataFrame) -> None:
    tables = [laboratory.run_values(Runs(whole).gains(m, laboratory.TEN)) for m in (PLANTED, RARE)]
    estimate, low, high = predictions_laboratory._correlation(tables)
    assert estimate < 0.7
    assert math.isnan(low) or low <= estimate <= high


def test_a_part_of_a_document_is_filled_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    place = "a\n<!-- study: one -->\n{}\n<!-- end of study -->\nb\n"
    document.write_text(place.format("old"), encoding="utf-8")
    assert predictions.fill(document, {"one": "new\n"}, only_check=True) == 1
    assert "old" in document.read_text(encoding="utf-8")
    assert predictions.fill(document, {"one": "new\n"}, only_check=False) == 0
    assert (
        document.read_text(encoding="utf-8")
        == "a\n<!-- study: one -->\nnew\n<!-- end of study -->\nb\n"
    )
    assert predictions.fill(document, {"one": "new\n"}, only_check=True) == 0
    with pytest.raises(CrosstalkError, match="study: two -->: expected it once"):
        predictions.fill(document, {"two": ""}, only_check=False)
