"""Objectives of a set that policies are evaluated by and not trained on."""

from pathlib import Path
from typing import Any

import pytest
from reward_models import build_reward_model
from studies import load_study, make_root

from benchmark.commands.check import report
from benchmark.common.errors import CrosstalkError
from benchmark.study import Study
from benchmark.study.costs import Assumptions
from benchmark.study.resources import memory_mb

PAIR = {"objectives": ["accuracy", "clarity"]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def study_of(root: Path, *apart: str, **changes: Any) -> Study:
    """Return a study of two objectives, and of others for evaluation alone."""
    given = PAIR | ({"evaluation_only": list(apart)} if apart else {})
    return load_study(root, objective_sets={"pair": given}, **changes)


def test_what_is_evaluated_alone_is_not_trained_on(root: Path) -> None:
    study = study_of(root, "conciseness", "format")
    for cell in study.cells:
        assert cell.objectives == cell.make_scalarizer().objectives == ("accuracy", "clarity")
        assert cell.evaluation_only == ("conciseness", "format")
    assert [o.name for o in study.make_objectives("pair")] == ["accuracy", "clarity"]
    evaluated = ["accuracy", "clarity", "conciseness", "format"]
    assert [o.name for o in study.make_evaluated("pair")] == evaluated
    assert {a.id for a in study.algorithms("pair")} == {
        *("linear", "ctwa", "single-accuracy", "single-clarity"),
    }


def test_another_one_for_evaluation_retrains_nothing(root: Path) -> None:
    before, after = study_of(root).cells[0], study_of(root, "conciseness").cells[0]
    assert after.training_hash == before.training_hash
    assert after.diagnosis_hash == before.diagnosis_hash
    assert after.study.probe_hash(after.model, "pair") == before.study.probe_hash(
        before.model, "pair"
    )
    assert after.hash != before.hash
    assert after.study.baseline_hash(after.model, "pair") != before.study.baseline_hash(
        before.model, "pair"
    )


def test_its_parameters_count_for_the_evaluation(root: Path) -> None:
    brief, briefer = (
        study_of(root, "brief", objectives={"brief": {"objective": "conciseness", "threshold": t}})
        for t in (9, 8)
    )
    assert brief.cells[0].hash != briefer.cells[0].hash
    assert brief.cells[0].training_hash == briefer.cells[0].training_hash


def test_a_set_without_any_is_digested_as_before(root: Path) -> None:
    dumped = study_of(root).file.model_dump(mode="json")["objective_sets"]["pair"]
    assert dumped == {"objectives": ["accuracy", "clarity"], "weights": None}
    given = study_of(root, "format").file.model_dump(mode="json")["objective_sets"]["pair"]
    assert given["evaluation_only"] == ["format"]


def test_models_read_for_evaluation_are_prepared(root: Path) -> None:
    build_reward_model(root / "reward")
    with (root / "models.yaml").open("a") as file:
        file.write("reward: {path: reward, resources: {memory_mb: 300}}\n")
    entry = {"objective": "reward_model", "model": "reward"}
    study = study_of(root, "helpful", objectives={"helpful": entry})
    assert study.objective_models("pair") == ("reward",)
    assert study.objective_models("pair", trained=True) == ()
    assert "reward" in study.preparation_order()
    assert memory_mb(study, "tiny-qwen2-base", "pair") == 2300


@pytest.mark.parametrize(
    ("apart", "reason"),
    [
        (["clarty"], "evaluation_only: unknown objective 'clarty'; did you mean 'clarity'"),
        (["clarity"], "evaluation_only: expected objectives that are in the set once and not tr"),
        (["format", "format"], "evaluation_only: expected objectives that are in the set once"),
    ],
)
def test_one_that_is_trained_on_or_unknown_is_refused(
    root: Path, apart: list[str], reason: str
) -> None:
    with pytest.raises(CrosstalkError) as caught:
        study_of(root, *apart)
    assert str(caught.value).startswith("workflow/studies/lab.yaml: objective_sets.pair.")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


# --- objectives made from others ----------------------------------------------------------


GATED: dict[str, Any] = {
    "gated": {"objective": "conditioned", "easy": "brief", "hard": "accuracy"},
    "brief": {"objective": "conciseness", "threshold": 9},
}


def gated_study(root: Path, **changes: Any) -> Study:
    sets = {"pair": {"objectives": ["accuracy", "gated"], "evaluation_only": ["brief"]}}
    return load_study(root, objectives=GATED | changes, objective_sets=sets)


def test_parts_of_an_objective_are_entries_of_the_study(root: Path) -> None:
    accuracy, gated, brief = gated_study(root).make_evaluated("pair")
    batch: dict[str, Any] = {"completions": [r"\boxed{7}"] * 2, "answer": ["7", "8"]}
    for ids, found in (([[1], [1]], [1, 0]), ([[1] * 9] * 2, [0, 0])):
        assert gated(completion_ids=ids, **batch) == found
    assert brief(completion_ids=[[1], [1] * 9], **batch) == [1, 0]
    assert accuracy(completion_ids=[[1], [1]], **batch) == [1, 0]
    assert gated.time_limit == 3600


def test_parts_are_in_the_hash_and_so_is_their_code(root: Path) -> None:
    before = gated_study(root)
    after = gated_study(root, brief={"objective": "conciseness", "threshold": 8})
    assert before.cells[0].training_hash != after.cells[0].training_hash
    told = before.objective_specification("pair")["given"]["gated"]["parameters"]
    assert told["easy"] == {"objective": "conciseness", "parameters": {"threshold": 9}}
    assert told["hard"] == {"objective": "accuracy", "parameters": {}}
    files = {file.name for file in before.scoring_code("pair")}
    assert {"conditioned.py", "conciseness.py", "accuracy.py", "verdicts.py"} <= files


def test_a_part_may_read_a_model(root: Path) -> None:
    build_reward_model(root / "reward")
    with (root / "models.yaml").open("a") as file:
        file.write("reward: {path: reward}\n")
    easy = {"objective": "reward_model", "model": "reward"}
    study = gated_study(root, gated=GATED["gated"] | {"easy": easy})
    assert study.objective_models("pair", trained=True) == ("reward",)
    parameters = study.objective_specification("pair")["given"]["gated"]["parameters"]
    assert parameters["easy"]["parameters"]["model"] == study.model_digest("reward")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"easy": "breif"}, "objectives.gated: easy: unknown objective 'breif'"),
        ({"easy": "gated"}, "objectives.gated: easy: expected no part of itself, got 'gated'"),
        ({"easy": ["brief"]}, "objectives.gated: objective 'conditioned': easy: expected an obj"),
        ({"threshold": 2}, "objectives.gated: objective 'conditioned': threshold: expected a nu"),
        (
            {"hard": {"objective": "reward_model", "model": "rewrad"}},
            "objectives.gated.hard.model: unknown model 'rewrad'",
        ),
    ],
)
def test_a_part_that_does_not_fit_is_told(root: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        gated_study(root, gated=GATED["gated"] | changes)
    message = str(caught.value)
    assert message.startswith(f"workflow/studies/lab.yaml: {reason}")
    assert "\n" not in message


def test_accuracy_is_refused_where_another_objective_judges(root: Path) -> None:
    task = {"name": "countdown", "train": 64, "validation": 8, "test": 8}
    sets: dict[str, Any] = {"pair": {"objectives": ["countdown", "format"]}}
    assert load_study(root, task=task, objective_sets=sets).task.split("test", 1)
    gate = {"gated": {"objective": "conditioned", "easy": "format", "hard": "accuracy"}}
    for apart, name in ((["accuracy"], "accuracy"), (["gated"], "gated")):
        sets["pair"]["evaluation_only"] = apart
        with pytest.raises(CrosstalkError, match=f"expected no accuracy in '{name}'"):
            load_study(root, task=task, objective_sets=sets, objectives=gate)


def test_a_gate_without_what_it_gates_is_warned_of(root: Path) -> None:
    assert not any("gated" in line for line in report(gated_study(root), Assumptions()))
    sets = {"pair": {"objectives": ["accuracy", "gated"]}}
    (line,) = report(load_study(root, objectives=GATED, objective_sets=sets), Assumptions())
    assert line == (
        "warning: workflow/studies/lab.yaml: objective_sets.pair: gated counts brief only behind "
        "its gate; evaluation_only: [brief] shows it without"
    )
