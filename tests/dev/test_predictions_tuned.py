"""The predictions of the tuned laboratory are met and missed by the rules written beforehand."""

import pandas
import predictions
import pytest
from laboratory import EVERY, PLANTED, RARE, Runs
from predictions_tuned import CHECKS, OFTEN, Tuning, check

from .made_up_laboratory import LOST, SERVED, TRIED, Changes, made_up, trials

PUBLISHED: Changes = {("mgda-normalized", mixture): SERVED for mixture in EVERY} | {
    ("foresight", mixture): SERVED for mixture in EVERY
}
BETTER = {("ctwa", mixture): (0.7, 0.6, 0.4) for mixture in EVERY}  # gains a little everywhere


@pytest.fixture(scope="module")
def published() -> Runs:
    return Runs(made_up(PUBLISHED))


def tuning(
    published: Runs, changes: Changes | None = None, record: pandas.DataFrame | None = None
) -> Tuning:
    cells = made_up({**PUBLISHED, **(changes or {})}).assign(study="laboratory-tuned")
    return Tuning(published, Runs(cells), trials() if record is None else record)


def on(mixtures: tuple[str, ...], rule: str, finals: tuple[float, ...]) -> Changes:
    return {(rule, mixture): finals for mixture in mixtures}


MISSED = {
    "2, linear serves all": (2, on(EVERY, "linear", SERVED), trials()),
    "3, the order turns": (
        3,
        on(EVERY, "foresight", LOST) | on(EVERY, "mgda-normalized", LOST)
        | on(EVERY, "linear", SERVED) | on(EVERY, "dvao", SERVED) | on(EVERY, "ctwa", SERVED),
        trials(),
    ),
    "4, one gains": (4, on(PLANTED[:1], "ctwa", SERVED), trials()),
    "5, found everywhere": (5, on(RARE, "ctwa", SERVED), trials()),
    "6, no lead in the trials": (6, BETTER, trials(lead=0.0)),
}  # fmt: skip


def test_tuning_that_changes_little_meets_what_was_foretold(published: Runs) -> None:
    planted = on(PLANTED, "foresight", LOST)
    before = Runs(made_up({**PUBLISHED, **planted}))
    rare = on(RARE, "foresight", (0.9, 0.75, 0.7))
    found = check(tuning(before, {**planted, **rare}))
    assert {number: each.verdict for number, each in found.items()} == dict.fromkeys(CHECKS, "met")


@pytest.mark.parametrize(("number", "changes", "record"), MISSED.values(), ids=MISSED)
def test_each_prediction_can_be_missed(
    published: Runs, number: int, changes: Changes, record: pandas.DataFrame
) -> None:
    assert check(tuning(published, changes, record))[number].verdict == "missed"


def test_more_than_two_rules_that_gain_refute_the_first(published: Runs) -> None:
    gained = {key: value for rule in TRIED for key, value in on(EVERY, rule, SERVED).items()}
    before = Runs(made_up(on(EVERY, "foresight", LOST)))
    found = tuning(before, gained, trials(TRIED))
    assert check(found)[1].verdict == "missed"
    assert sorted(found.leads) == sorted(TRIED)
    assert found.difference("linear").low > 0


def test_runs_are_paired_by_model_and_unchanged_ones_differ_by_nothing(published: Runs) -> None:
    found = tuning(published)
    assert found.difference("dvao") == (0.0, 0.0, 0.0)
    assert found.tried == list(TRIED)


def test_nothing_is_decided_before_all_runs_are_there(published: Runs) -> None:
    part = Runs(published.cells[published.cells["model"] != RARE[0]])
    for found in (None, Tuning(published, part, trials())):
        assert {each.verdict for each in check(found).values()} == {"undecided"}
    nothing = check(tuning(published, record=trials(())))
    assert nothing[6].verdict == "undecided"


def test_rules_of_the_file_are_those_checked() -> None:
    texts = predictions.written("laboratory-tuned", CHECKS)
    assert f"on {OFTEN} or more of the 10 models" in texts[5]
