"""The predictions on causes are met and missed by the rules that were written beforehand."""

import causes
import causes_natural
import causes_planted
import predictions
import pytest
from causes import CHECKS, Results
from causes_natural import ARMS, BASELINE, Cases, Change, recovers
from causes_planted import PLANTED, Run
from predictions import Outcome

from benchmark.diagnosis.attribution import CAUSES
from benchmark.study import load_study

from .made_up_causes import FELL, NATURAL, NO_FALL, ROSE, arm, cases, causes_found, runs, write

NOTHING = Results([], Cases([], whole=False))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("boards")
    write(folder)
    return causes.read(folder)


def judged(number: int, own: list[Run] | Cases) -> Outcome:
    return CHECKS[number](Results([], own) if isinstance(own, Cases) else Results(own, NOTHING[1]))


@pytest.mark.parametrize("number", CHECKS)
def test_each_prediction_can_be_met(whole: Results, number: int) -> None:
    assert CHECKS[number](whole).verdict == "met"


@pytest.mark.parametrize(("number", "name"), enumerate(PLANTED, start=1), ids=list(PLANTED))
def test_two_other_causes_miss_a_planted_one(number: int, name: str) -> None:
    other = "clipping" if name != "clipping" else "weights"
    assert judged(number, runs({(name, 0): f"{other} 100%"})).verdict == "met"
    found = judged(number, runs({(name, k): f"{other} 60%, unresolved 40%" for k in (0, 1)}))
    assert found.verdict == "missed"
    assert other in found.found


MISSED = {
    "7, two of four recover": (7, "weights", range(1, 4), (FELL, 0.2)),
    "7, but hardly train": (7, "weights", range(4), (0.0, 0.05)),
    "8, none recovers": (8, "parameters and optimizer", range(4, 8), (FELL, 0.2)),
    "9, others recover": (9, "weights", range(4, 6), (ROSE, 0.2)),
    "11, another arm does": (11, "batch", range(4), (-0.2, 0.2)),
}


@pytest.mark.parametrize(("number", "arm", "models", "ends"), MISSED.values(), ids=list(MISSED))
def test_arms_that_do_otherwise_miss(
    number: int, arm: str, models: range, ends: tuple[float, float]
) -> None:
    assert judged(number, cases({(arm, f"model-{k}"): ends for k in models})).verdict == "missed"


def test_four_cases_apart_cannot_be_significant() -> None:
    found = judged(10, cases({("weights", model): (ROSE, 0.2) for model in NATURAL}))
    assert found == ("4 in the own arm alone, 0 in the other's alone (p = 0.12)", None)


def test_the_wrong_arm_more_often_misses() -> None:
    swapped = {"weights": "parameters and optimizer", "parameters and optimizer": "weights"}
    ends = {(swapped[cause], model): (ROSE, 0.2) for model, cause in NATURAL.items()}
    ends |= {(cause, model): (FELL, 0.2) for model, cause in NATURAL.items()}
    found = judged(10, cases(ends))
    assert found == ("0 in the own arm alone, 8 in the other's alone (p = 0.0078)", False)


@pytest.mark.parametrize("number", CHECKS)
def test_nothing_trained_decides_nothing(number: int) -> None:
    assert CHECKS[number](NOTHING).verdict == "undecided"


@pytest.mark.parametrize("number", range(7, 12))
def test_a_missing_run_of_an_arm_leaves_undecided(number: int) -> None:
    arms = {name: arm(name) for name in ARMS}
    arms["batch"] = arms["batch"].query("model != 'model-0'")
    found = causes_natural.cases(arm("baseline"), causes_found(), arms)
    assert judged(number, found).verdict == "undecided"


def test_runs_without_a_decline_are_no_evidence() -> None:
    found = judged(2, runs({("weights", k): NO_FALL for k in range(3)}))
    assert found == ("3 of 3 [29%, 100%]", None)


def test_recovery_asks_for_half_of_loss_and_gain() -> None:
    before = Change(-0.4, 0.2)
    assert recovers(before, Change(-0.2, 0.1))
    assert not recovers(before, Change(-0.21, 0.1))
    assert not recovers(before, Change(0.0, 0.09))
    assert not recovers(Change(-0.4, -0.1), Change(0.0, 0.0))


def test_a_case_is_covered_and_has_one_cause() -> None:
    table = causes_found()
    table.loc[table["model"] == "model-0", "coverage"] = 0.24
    table.loc[(table["model"] == "model-1") & table["why"].str.startswith("weights"), "why"] = (
        "weights 49%, unresolved 30%, step size 21%"
    )
    found = causes_natural.cases(arm("baseline"), table, {name: arm(name) for name in ARMS})
    assert [case.key[0] for case in found.found] == [f"model-{k}" for k in range(2, 8)]


def test_tables_are_of_runs_and_cases(whole: Results) -> None:
    matrix, arms = causes_planted.table(whole.runs), causes_natural.table(whole.cases)
    row = "| weights | **6** | 0 | 0 | 0 | 0 | 0 | 0 | 6 of 6 [54%, 100%] |"
    assert row in matrix.splitlines()
    assert "| weights | 4 | **4 of 4 [40%, 100%]** | 0 of 4 [0%, 60%]" in arms
    found = predictions.judged("causes", causes.check(whole))
    assert found.below(causes.tables(whole)).count("| met |") == len(CHECKS)


def test_plants_and_arms_are_those_of_the_studies() -> None:
    studies = {own.study for own in PLANTED.values()} | {BASELINE[0], *dict(ARMS.values())}
    cells = {name: load_study(name).cells for name in studies}
    for name, own in PLANTED.items():
        planted = [cell for cell in cells[own.study] if cell.objective_set == name]
        assert len(planted) == causes_planted.MODELS
        assert set(own.lowers) <= set(planted[0].objectives)
        assert own.cause in (*CAUSES, causes_planted.NO_DECLINE)
    baseline = {cell.model for cell in cells[BASELINE[0]]}
    for study, algorithm in ARMS.values():
        models = {cell.model for cell in cells[study] if cell.algorithm.id == algorithm}
        assert models == baseline


def test_predictions_are_those_written_down() -> None:
    assert list(predictions.written("causes", CHECKS)) == list(CHECKS)


def test_the_document_has_what_is_published() -> None:
    assert causes.main(None, only_check=True) == 0, "run `python dev/causes.py`"
