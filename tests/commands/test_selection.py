"""Choosing settings from trials: what is compared, what is refused, what is said."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas
import pytest
from studies import load_study, make_root

from benchmark.commands import selection
from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results.cells import Missing
from benchmark.study import Study
from benchmark.study.tuning import trials_study
from benchmark.study.tuning_schema import Tuned

COSTS = {"steps": 60.0, "training_tokens": 1000.0, "backward_passes": 60.0, "seconds": 36.0}
GAINS = {"linear": 0.2, "linear.trial1": 0.5, "linear.trial2": 0.4}
GAINS |= {"ctwa": 0.3, "ctwa.trial1": 0.1, "ctwa.trial2": 0.3}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return load_study(
        make_root(tmp_path),
        models={"tiny-qwen2-base": None},
        objective_sets={"math3": None},
        tuning={"trials": 3, "seeds": [7, 8]},
    )


def chosen(
    study: Study,
    monkeypatch: pytest.MonkeyPatch,
    gains: dict[str, float],
    missing: dict[str, str] | None = None,
) -> Tuned:
    """Select from a made-up leaderboard of the trials, in which some cells are missing."""
    trials, missing = trials_study(study), missing or {}
    counted = [cell for cell in trials.cells if cell.id not in missing]
    costs = pandas.DataFrame(
        {"algorithm": cell.algorithm.id, "reference": cell.scalarizer_class.reference} | COSTS
        for cell in counted
    )
    table = pandas.DataFrame(
        {"algorithm": name, "worst_gain": g, "worst_gain_low": g - 0.1, "worst_gain_high": g + 0.1}
        for name, g in gains.items()
    )
    made: Any = SimpleNamespace(
        overall=SimpleNamespace(table=table),
        results=SimpleNamespace(
            missing=[Missing(cell, why) for cell, why in missing.items()], costs=costs
        ),
    )
    monkeypatch.setattr(selection, "collect_frames", lambda *given, **options: made)
    return selection.select(study, trials)


def test_the_best_setting_is_chosen_and_of_equals_the_first(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = chosen(study, monkeypatch, GAINS)
    assert {name: each.chosen for name, each in found.algorithms.items()} == {
        "linear": 1,
        "ctwa": 0,
    }
    one = found.algorithms["linear"].trials[1]
    assert (one.worst_gain, one.low, one.high) == (0.5, 0.4, 0.6)
    assert one.parameters.keys() == {"training_weights"}
    assert found.seeds == (7, 8)


def test_what_was_spent_is_summed_over_runs(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen(study, monkeypatch, GAINS)
    spent = found.algorithms["ctwa"].trials[2].spent
    assert (spent.runs, spent.steps, spent.tokens, spent.hours) == (2, 120, 2000, 0.02)
    assert found.references.runs == 6  # three references, two seeds
    assert found.references.backward_passes == 360


def test_a_setting_that_diverged_is_not_chosen(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"tiny-qwen2-base/math3/linear.trial1/seed8": "diverged: after 3 of 60 updates"}
    found = chosen(study, monkeypatch, GAINS, lost).algorithms["linear"]
    assert found.chosen == 2
    assert (found.trials[1].worst_gain, found.trials[1].spent.runs) == (None, 1)


def test_a_rule_below_its_special_case_is_said(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen(study, monkeypatch, GAINS).notes == ()  # linear as tuned is no special case
    (note,) = chosen(study, monkeypatch, GAINS | {"linear": 0.4}).notes
    assert note.startswith("ctwa as tuned (0.300) is below linear as published (0.400), which")


def test_trials_that_are_not_done_are_named(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = "tiny-qwen2-base/math3/ctwa/seed7"
    with pytest.raises(CrosstalkError) as caught:
        chosen(study, monkeypatch, GAINS, {cell: "never started"})
    assert str(caught.value) == (
        f"lab-trials: 1 of 18 trials are missing, for instance {cell}: never started; "
        "`crosstalk tune` runs them"
    )


def test_nothing_is_chosen_where_all_diverged(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("ctwa", "ctwa.trial1", "ctwa.trial2")
    lost = {f"tiny-qwen2-base/math3/{name}/seed7": "diverged" for name in names}
    with pytest.raises(CrosstalkError, match=r"lab.yaml: algorithms.ctwa: every setting that was"):
        chosen(study, monkeypatch, GAINS, lost)


def test_gains_without_a_scale_are_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CrosstalkError, match=r"lab.yaml: tuning: no objective was raised by train"):
        chosen(study, monkeypatch, dict.fromkeys(GAINS, float("nan")))
