"""Scales of objectives that a study has fitted before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import load_study, make_root

from benchmark.commands import calibrate as calibrating
from benchmark.commands.calibrate import calibrate
from benchmark.commands.jobs.journal import Job
from benchmark.commands.jobs.retries import retry_command
from benchmark.commands.prepare import prepare_objectives
from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.answers import Completions
from benchmark.objectives import Objective
from benchmark.objectives.calibrated import Calibrated
from benchmark.study import Study, calibration_mb

ENTRY = {"objective": "calibrated", "reward": "repetition", "policy": "tiny-qwen2-ift"}
SMALL = {"prompts": 8, "quantiles": [0.0, 1.0]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def study_of(root: Path, given: dict[str, Any] | None = None, **changes: Any) -> Study:
    """Return a study with an objective on a fitted scale, and one behind a gate."""
    entry = ENTRY | SMALL | (given or {})
    gated = {"objective": "conditioned", "easy": "scaled", "hard": "accuracy"}
    sets = {"plain": {"objectives": ["accuracy", "scaled"]}}
    sets |= {"gate": {"objectives": ["accuracy", "gated"]}} if entry.get("clip") else {}
    entries = {"scaled": entry} | ({"gated": gated} if entry.get("clip") else {})
    return load_study(root, objectives=entries, objective_sets=sets, **changes)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Have completions of one token, 3 to 10 times, stand for a model's; return what was asked."""
    asked: list[dict[str, Any]] = []

    def generate(folder: Path, problems: Any, sampling: Any, plan: Any) -> Completions:
        asked.append({"folder": folder.name, "problems": problems, "samples": plan.samples})
        ids = [[1] * (n + 3) for n in range(len(problems))]
        return Completions(problems, ids, ["x"] * len(ids))

    monkeypatch.setattr(calibrating, "generate", generate)
    monkeypatch.setattr(calibrating, "prepare", lambda root, model: root / model)
    return asked


def test_a_scale_is_fitted_on_training_problems_alone(
    root: Path, drawn: list[dict[str, Any]]
) -> None:
    study = study_of(root)
    found = calibrate(study, "scaled")
    (asked,) = drawn
    assert asked["folder"] == "tiny-qwen2-ift"
    assert asked["problems"] == study.task.split("train", 8)
    assert asked["samples"] == 1
    # One token over and over: 1 distinct n-gram of 1 to 8.
    assert found.fit == [1 / 8, 1.0]
    assert found.completions == 8
    assert (study.layout.calibration("scaled") / "completions.parquet").is_file()


def test_objectives_are_rewarded_on_the_scale_that_was_fitted(
    root: Path, drawn: list[dict[str, Any]]
) -> None:
    study = study_of(root, {"clip": True})
    batch: dict[str, Any] = {"completions": [r"\boxed{7}"], "completion_ids": [[1] * 6]}
    with pytest.raises(CrosstalkError, match="not calibrated: run `crosstalk calibrate STUDY scal"):
        study.make_objectives("plain")[1](**batch, answer=["7"])
    calibrate(study, "scaled")
    expected = pytest.approx([(1 / 4 - 1 / 8) / (7 / 8)])
    for name in ("plain", "gate"):
        made: list[Objective] = study.make_objectives(name)
        assert made[1](**batch, answer=["7"]) == expected
    assert made[1](**batch, answer=["8"]) == [0]


def test_no_stage_runs_without_a_scale(root: Path, drawn: list[dict[str, Any]]) -> None:
    study, told = study_of(root), "not calibrated; run `crosstalk calibrate lab scaled` first"
    with pytest.raises(CrosstalkError, match=f"calibration/scaled: {told}"):
        prepare_objectives(study, "plain")
    calibrate(study, "scaled")
    prepare_objectives(study, "plain")
    with pytest.raises(CrosstalkError, match=told):  # another scale than the one that is there
        prepare_objectives(study_of(root, {"quantiles": [0.1, 0.9]}), "plain")


def test_rewards_that_are_one_number_make_no_scale(root: Path, drawn: list[dict[str, Any]]) -> None:
    study = study_of(root, {"reward": "clarity"})
    told = "objectives.scaled: expected rewards of the initial policy that differ, got 0 at both"
    with pytest.raises(CrosstalkError, match=told):
        calibrate(study, "scaled")
    assert study.calibration_hash("scaled")
    with pytest.raises(CrosstalkError, match="unknown objective with a fitted scale 'scald'; did"):
        calibrate(study, "scald")


def test_a_hash_covers_all_that_a_scale_is_fitted_by(root: Path) -> None:
    before = study_of(root).cells[0]
    for given in (
        {"kind": "logistic", "quantiles": [0.1, 0.9]},
        {"quantiles": [0.2, 0.9]},
        {"policy": "tiny-qwen2-base"},
        {"prompts": 9},
        {"reward": "clarity"},
    ):
        after = study_of(root, given).cells[0]
        assert after.study.calibration_hash("scaled") != before.study.calibration_hash("scaled")
        assert after.training_hash != before.training_hash
    other = study_of(root, evaluation={"seed": 3}).cells[0]  # of the completions it is fitted on
    assert other.training_hash != before.training_hash


def test_the_model_it_is_fitted_on_is_made_ready(root: Path) -> None:
    study = study_of(root)
    assert study.fitted("plain") == ("scaled",)
    assert "tiny-qwen2-ift" in study.preparation_order()
    assert "tiny-qwen2-ift" not in study.file.models
    assert study.objective_models("plain") == ()  # no job that scores loads it
    assert calibration_mb(study, "scaled") == study.models["tiny-qwen2-ift"].resources.memory_mb


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"policy": "tiny-qwen2-itf"}, "policy: unknown model 'tiny-qwen2-itf'; did you mean"),
        ({"policy": None}, "objective 'calibrated': policy: expected a model's id, or else two"),
        ({"prompts": 2000}, "prompts: expected at most task.train, 1024, got 2000"),
        ({"fit": [0, 1]}, "policy: expected none where fit is given, got 'tiny-qwen2-ift'"),
    ],
)
def test_a_scale_that_cannot_be_fitted_is_refused(
    root: Path, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CrosstalkError, match=rf"objectives.scaled[.:] ?{reason}"):
        study_of(root, given)


def test_a_scale_without_an_id_of_its_own_is_refused(root: Path) -> None:
    entry = {"objective": "conditioned", "easy": ENTRY | {"clip": True}, "hard": "accuracy"}
    pair = {"pair": {"objectives": ["accuracy", "mine"]}}
    with pytest.raises(CrosstalkError, match=r"mine: easy: expected an entry of objectives, nam"):
        load_study(root, objectives={"mine": entry}, objective_sets=pair)
    nested = {"scaled": ENTRY | SMALL, "twice": ENTRY | {"reward": "scaled"}}
    with pytest.raises(CrosstalkError, match="expected parts with scales of their own given, got"):
        load_study(root, objectives=nested, objective_sets={"p": {"objectives": ["twice"]}})


def test_a_model_may_not_take_the_folder_of_the_scales(root: Path) -> None:
    with (root / "models.yaml").open("a") as file:
        file.write("calibration: {recipe: tiny-qwen2-base}\n")
    with pytest.raises(CrosstalkError, match=r"models.calibration: the workflow has a file or fol"):
        load_study(root, models={"calibration": None})


def test_what_is_tracked_of_a_scale(root: Path, drawn: list[dict[str, Any]]) -> None:
    study = study_of(root)
    calibrate(study, "scaled")
    (found,) = study.calibrations("plain").values()
    assert found.told["policy"] == "tiny-qwen2-ift"
    assert found.told["low"] == {"quantile": 0.0, "reward": 0.125}
    assert np.isclose(found.told["high"]["reward"], 1)
    assert isinstance(study.make_objectives("plain")[1], Calibrated)


def test_a_fit_that_failed_is_tried_again_by_its_command(root: Path) -> None:
    job = Job("calibrate", {"objective": "scaled"}, None, 0.0, None, True)
    assert retry_command(study_of(root), job) == "crosstalk calibrate lab scaled"
