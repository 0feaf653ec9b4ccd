"""Trials and tuned studies: what is derived from a study, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from studies import STUDY, WHERE, load_study, make_root, tree, write_study

from benchmark.commands.baseline import evaluation_problems
from benchmark.commands.tune import tune
from benchmark.commands.tune import write_study as write_derived
from benchmark.common.errors import CrosstalkError
from benchmark.study import Study, check
from benchmark.study import load_study as load
from benchmark.study.tuning import changed, settings_of, trials_study, tuned_study
from benchmark.study.tuning_schema import Tuned

PLAN: dict[str, Any] = {"trials": 3, "seeds": [7]}
ONE_SIZE = {"math3": None}
SINGLE = {"objective": "each"}
SPENT = {"runs": 1, "steps": 60, "tokens": 1.0, "backward_passes": 60.0, "hours": 0.1}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def planned(root: Path, plan: dict[str, Any] | None = None, **changes: Any) -> Study:
    """Return the study of one objective set with a plan of its tuning."""
    return load_study(root, **{"objective_sets": ONE_SIZE, "tuning": PLAN | (plan or {})} | changes)


def record(study: Study, **chosen: int) -> Tuned:
    """Return a made-up record in which these trials were chosen."""
    algorithms = {
        name: {
            "chosen": chosen[name],
            "trials": [
                {"parameters": changed(study, name, k), "worst_gain": 0.1 * k, "spent": SPENT}
                for k, _ in enumerate(settings_of(study, name))
            ],
        }
        for name in chosen
    }
    return Tuned.model_validate(
        {
            **{"study": STUDY, "file": WHERE, "trials": "0" * 16, "criterion": "worst_gain"},
            **{"split": "validation", "problems": 8, "models": ["m"], "objective_sets": ["math3"]},
            **{"seeds": [7], "algorithms": algorithms, "references": SPENT},
        }
    )


def test_trials_are_cells_of_a_study_of_their_own(root: Path) -> None:
    trials = trials_study(planned(root))
    assert trials.name == f"{STUDY}-trials"
    assert [each.id for each in trials.algorithms("math3")] == [
        *("linear", "linear.trial1", "linear.trial2", "ctwa", "ctwa.trial1", "ctwa.trial2"),
        *("single-accuracy", "single-conciseness", "single-clarity"),
    ]
    assert {cell.seed for cell in trials.cells} == {7}
    linear = trials.cell("tiny-qwen2-base/math3/linear.trial1/seed7")
    assert linear.algorithm.scalarizer == "weighted"
    assert linear.make_scalarizer().weights.tolist() == pytest.approx([1 / 3] * 3)
    (weights,) = linear.parameters.values()
    assert sum(weights) == pytest.approx(1, abs=1e-3)
    check(trials)


def test_the_first_trial_is_trained_as_the_study_would(root: Path) -> None:
    study = planned(root)
    same = load_study(root, seeds=[7], objective_sets=ONE_SIZE)
    for model in study.file.models:
        for name in ("linear", "ctwa", "single-clarity"):
            cell = f"{model}/math3/{name}/seed7"
            trial, own = trials_study(study).cell(cell), same.cell(cell)
            assert trial.training_hash == own.training_hash
            assert trial.hash != own.hash  # which is evaluated on test problems


def test_trials_are_evaluated_on_validation_problems(root: Path) -> None:
    study = planned(root, {"problems": 16}, task={"validation": 8, "test": 32})
    trials = trials_study(study)
    validation = study.task.split("validation", 16)
    assert evaluation_problems(trials) == validation
    assert evaluation_problems(study) == study.task.split("test", 32)
    assert not {p.id for p in study.task.split("test", 32)} & {p.id for p in validation}


def test_an_evaluation_on_test_problems_is_digested_as_before(root: Path) -> None:
    plain, said = load_study(root), load_study(root, evaluation={"split": "test"})
    assert "split" not in plain.file.evaluation.model_dump()
    assert said.cells[0].hash == plain.cells[0].hash
    other = load_study(root, evaluation={"split": "validation"})
    assert other.cells[0].hash != plain.cells[0].hash
    assert other.cells[0].training_hash == plain.cells[0].training_hash


def test_a_plan_reruns_nothing(root: Path) -> None:
    plain, study = load_study(root, objective_sets=ONE_SIZE), planned(root)
    for one, other in zip(plain.cells, study.cells, strict=True):
        assert (one.hash, one.diagnosis_hash) == (other.hash, other.diagnosis_hash)
    assert plain.snapshot == study.snapshot


def test_a_tuned_study_has_the_chosen_settings(root: Path) -> None:
    study = planned(root)
    tuned = tuned_study(study, record(study, linear=2, ctwa=0))
    linear, ctwa = (
        tuned.cell(f"tiny-qwen2-base/math3/{name}/seed1") for name in ("linear", "ctwa")
    )
    trial = trials_study(study).cell("tiny-qwen2-base/math3/linear.trial2/seed7")
    assert (linear.algorithm.scalarizer, linear.parameters) == ("weighted", trial.parameters)
    assert ctwa.hash == study.cell(ctwa.id).hash  # the published setting, on the same seeds
    assert tuned.file.seeds == study.file.seeds
    assert tuned.file.tuning is None


def test_a_study_without_a_plan_is_not_tuned(root: Path) -> None:
    with pytest.raises(CrosstalkError) as caught:
        tune(load_study(root), [], "default")
    assert str(caught.value).startswith(f"{WHERE}: tuning: there is none; `tuning: {{trials: 5, s")
    assert not (root / "results").exists()


def test_derived_studies_are_found_by_name(root: Path) -> None:
    study = planned(root, {"models": {"tiny-qwen2-ift": {"learning_rate": 1e-4}}})
    derived = (trials_study(study), tuned_study(study, record(study, linear=1, ctwa=1)))
    for each in derived:
        write_derived(study, each)
        read = load(each.name, root)
        check(read)
        assert read.file == each.file
        assert [cell.hash for cell in read.cells] == [cell.hash for cell in each.cells]
    assert {cell.learning_rate for cell in derived[0].cells} == {1e-4}
    before = tree(root)
    write_derived(study, derived[0])
    assert tree(root) == before


def test_a_published_space_gives_way_to_the_studys(root: Path) -> None:
    spaces = {"linear": {}, "ctwa": {"smoothing": {"kind": "uniform", "low": 0.5, "high": 0.6}}}
    study = planned(root, {"spaces": spaces})
    assert settings_of(study, "linear") == [{}]
    assert [sorted(each) for each in settings_of(study, "ctwa")[1:]] == [
        ["scalarizer", "smoothing", "step_size"]
    ] * 2
    assert all(0.5 <= each["smoothing"] <= 0.6 for each in settings_of(study, "ctwa")[1:])
    assert changed(study, "ctwa", 1).keys() == {"smoothing"}


def test_parameters_give_way_where_a_point_sets_them(root: Path) -> None:
    unit = {"scalarizer": "mgda", "normalize": True}
    study = planned(root, algorithms={"linear": None, "unit": unit, "single": SINGLE})
    own, *points = settings_of(study, "unit")
    assert own == unit
    assert all(sorted(each) == ["power", "scalarizer"] for each in points)


def test_exclusions_hold_for_every_trial(root: Path) -> None:
    gone = [
        {"model": "tiny-qwen3-base", "algorithm": "ctwa"},
        {"algorithm": "single-clarity", "model": "tiny-qwen3-base"},
        {"seed": 1, "algorithm": "linear"},
    ]
    trials = trials_study(planned(root, exclude=gone))
    left = {cell.algorithm.id for cell in trials.cells if cell.model == "tiny-qwen3-base"}
    assert left == {
        *("linear", "linear.trial1", "linear.trial2", "single-accuracy", "single-conciseness")
    }


def test_modules_beside_the_study_are_found_from_derived_ones(root: Path) -> None:
    write_study(root)
    (root / WHERE).with_name("beside_studies.py").write_text(
        "from benchmark.scalarizers import Linear\n\n\nclass Beside(Linear):\n    pass\n"
    )
    algorithms = {"mine": {"scalarizer": "beside_studies:Beside"}, "single": SINGLE}
    study = planned(root, algorithms=algorithms)
    trials = trials_study(study)
    assert trials.file.modules == "../../workflow/studies"
    assert [each.id for each in trials.algorithms("math3")][:2] == ["mine", "single-accuracy"]
    check(trials)


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"tuning": PLAN | {"seeds": [1, 7, 0]}},
        "tuning.seeds: expected none of the study's seeds, on which nothing may be chosen, got 0",
    ),
    ({"tuning": PLAN | {"seeds": [7, 7]}}, "tuning.seeds: expected each seed once, got "),
    ({"tuning": PLAN | {"seeds": []}}, "tuning.seeds: expected at least one entry"),
    ({"tuning": {"seeds": [7]}}, "tuning.trials: is required"),
    ({"tuning": PLAN | {"trials": 1}}, "tuning.trials: expected at least 2, got 1"),
    ({"tuning": PLAN | {"trails": 3}}, "tuning: unknown key 'trails'; did you mean 'trials'"),
    ({"tuning": PLAN | {"models": {}}}, "tuning.models: expected at least one entry"),
    (
        {"tuning": PLAN | {"models": {"tiny-qwen2-bsae": None}}},
        "tuning.models: unknown model 'tiny-qwen2-bsae'; did you mean 'tiny-qwen2-base'",
    ),
    (
        {"tuning": PLAN | {"objective_sets": ["maths3"]}},
        "tuning.objective_sets: unknown objective set 'maths3'; did you mean 'math3'",
    ),
    (
        {"tuning": PLAN | {"problems": 10**9}},
        "tuning: task.test: task 'arithmetic': validation: ex",
    ),
    (
        {"tuning": PLAN | {"spaces": {"ctva": {}}}},
        "tuning.spaces: unknown algorithm 'ctva'; did you mean 'ctwa'",
    ),
    (
        {"tuning": PLAN | {"spaces": {"single": {}}}},
        "tuning.spaces.single: expected no space of a reference",
    ),
    (
        {"tuning": PLAN | {"spaces": {"ctwa": {"stepsize": {"kind": "simplex"}}}}},
        "tuning.spaces.ctwa: unknown parameter 'stepsize'; did you mean 'step_size'",
    ),
    (
        {
            "tuning": PLAN
            | {"spaces": {"ctwa": {"smoothing": {"kind": "uniform", "low": 2.0, "high": 3.0}}}}
        },
        "tuning: algorithms.ctwa.trial1: algorithm 'ctwa': smoothing: expected a number",
    ),
    (
        {"objective_sets": {"math3": None, "accuracy-clarity": None}},
        "tuning.spaces.linear: expected objective sets of one size for training_weights, which has",
    ),
    (
        {"algorithms": {"linear": None}},
        "tuning: expected a reference for 'accuracy' among the algorithms (`single: {",
    ),
    (
        {"algorithms": {"linear": None, "linear.trial1": {"scalarizer": "gdpo"}, "single": SINGLE}},
        "algorithms.linear.trial1: expected another id: it is that of a trial of 'linear'",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), REFUSED)
def test_a_plan_that_cannot_be_is_refused(
    root: Path, changes: dict[str, Any], expected: str
) -> None:
    write_study(root, **{"objective_sets": ONE_SIZE, "tuning": PLAN} | changes)
    before = tree(root)
    with pytest.raises(CrosstalkError) as caught:
        check(load(STUDY, root))
    assert tree(root) == before
    message = str(caught.value)
    assert message.startswith(f"{WHERE}: {expected}"), message
    assert "\n" not in message
