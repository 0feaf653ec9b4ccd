"""Diagnosing a trained cell: the step made again is the one that was made, and what is left."""

import json
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from projects import Project, ResultsOf
from safetensors.torch import load_file
from tracked import tracked_runs

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.diagnose import diagnose
from benchmark.commands.jobs.directions import other_steps
from benchmark.commands.jobs.records import Diagnosed
from benchmark.commands.jobs.replay import replay_step
from benchmark.commands.train import train
from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.samples import DIRECTIONS, SIGNAL, from_frame
from benchmark.study import Cell
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.reading import run_curves
from benchmark.training.trainer import STATE_FILE

pytestmark = pytest.mark.slow  # real trainings

PLAN = {"steps": [0, 2], "prompts": 4, "samples": 3, "max_prompts": 6, "multiples": [0.5, 1, 2]}
PLAN |= {"directions": False}  # but where that is tested
EVERY_STEP = {"checkpoint_every": 1, "steps": 3}


@pytest.fixture(autouse=True)
def _probed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe's findings, made up: the probe itself takes longer than all that is tested here."""
    if "unprobed" not in request.keywords:
        found = {"geometry/sigma_min": 0.5}
        monkeypatch.setattr("benchmark.commands.diagnose.read_probe", lambda *cell: found)


def diagnosed_cell(project: Project, algorithm: str = "linear", **changes: Any) -> Cell:
    """Return a trained cell whose study asks for a diagnosis."""
    settings = {"diagnosis": PLAN, "training": EVERY_STEP} | changes
    cell = project.cell(algorithm, **settings)
    train(cell)
    evaluate_initial(cell.study, cell.model, cell.objective_set)
    return cell


@pytest.fixture
def diagnosable(project: Project, results_of: ResultsOf) -> Cell:
    """Such a cell of ``linear``."""
    results = results_of("diagnosed", diagnosed_cell)
    shutil.copytree(results, project.root / "results", symlinks=True)
    return project.cell(diagnosis=PLAN, training=EVERY_STEP)


def trained_weights(cell: Cell, update: int) -> dict[str, torch.Tensor]:
    file = cell.folder / "checkpoints" / f"checkpoint-{update}" / "model.safetensors"
    return load_file(file)


def trained_state(cell: Cell, update: int) -> dict[str, Any]:
    file = cell.folder / "checkpoints" / f"checkpoint-{update}" / STATE_FILE
    return dict(torch.load(file, weights_only=True))


@pytest.mark.parametrize("algorithm", ["linear", "ctwa", "mgda", "hypervolume"])
def test_a_step_is_made_again_bit_for_bit(tracked_project: Project, algorithm: str) -> None:
    cell = diagnosed_cell(tracked_project, algorithm, diagnosis={"steps": [0, 1, 2]})
    moved = False
    for step in (0, 1):
        replay = replay_step(cell, step)
        expected = trained_weights(cell, step + 1)
        own = dict(replay.trainer.model.named_parameters())
        assert all(torch.equal(own[name], value) for name, value in expected.items())
        states = [objective.state_dict() for objective in replay.trainer.objectives()]
        assert states == trained_state(cell, step + 1)["objectives"]  # as in the step's rollout
        if not moved and any(each.any() for each in replay.gradient):
            moved = True  # no memory yet: this is what the optimizer makes of the batch alone
            again = other_steps(replay, replay.gradient)["own/optimizer"]()
            made, other = (torch.cat([e.flatten() for e in d]) for d in (replay.direction, again))
            assert float(other.norm() / made.norm()) == pytest.approx(1, abs=1e-3)
            assert torch.cosine_similarity(other, made, dim=0) > 0.999
        if step:
            replay.move(0.0)
            before = trained_weights(cell, step)
            assert all(torch.equal(own[name], value) for name, value in before.items())
            replay.move(1.0)
            assert all(torch.equal(own[name], value) for name, value in expected.items())
    assert moved or algorithm == "mgda"  # whose gradients are 0 here


def test_a_step_of_several_updates_is_made_again_whole(tracked_project: Project) -> None:
    training = {"checkpoint_every": 1, "steps": 2, "minibatches": 2, "passes": 2}
    cell = diagnosed_cell(tracked_project, training=training, diagnosis={"steps": [0, 1]})
    replay = replay_step(cell, 1)
    own = dict(replay.trainer.model.named_parameters())
    assert all(torch.equal(own[n], value) for n, value in trained_weights(cell, 8).items())


def test_a_diagnosis_leaves_training_as_it_was(project: Project, diagnosable: Cell) -> None:
    plan = PLAN | {"directions": True}
    cell = project.cell(diagnosis=plan, training=EVERY_STEP)
    assert cell.training_hash == diagnosable.training_hash
    before = {p: p.read_bytes() for p in (cell.folder / "checkpoints").rglob("*") if p.is_file()}
    diagnose(cell)
    after = {p: p.read_bytes() for p in (cell.folder / "checkpoints").rglob("*") if p.is_file()}
    assert after == before
    uri = tracking_uri(project.root)
    (run,) = tracked_runs(uri, cell.study.name).to_dict("records")
    assert run["tags.diagnosis_hash"] == cell.diagnosis_hash
    assert json.loads(run["tags.attribution"]).keys() == set(cell.objectives)
    fell = json.loads(run["tags.diagnosed_declines"])
    assert fell.keys() == set(cell.objectives)
    record = Diagnosed.read(cell.folder, cell.diagnosis_hash)
    assert record is not None
    assert (record.steps, record.declines) == ([0, 2], fell)
    curves = run_curves(uri, [run["run_id"]], "diagnosis/")
    steps = curves.groupby("metric").step.agg(list)
    for name in cell.objectives:
        assert steps[f"diagnosis/realised/1/{name}"] == [0, 2]
        assert steps[f"diagnosis/covariance/advantage/{name}"] == [0, 2]
    assert steps["diagnosis/weights/best"] == [0, 2]
    assert steps["diagnosis/geometry/pl_ratio/score"] == [0, 2]
    assert steps["diagnosis/curvature/clarity"] == [0, 2]
    assert run["metrics.geometry/sigma_min"] == 0.5
    frame = pd.read_parquet(cell.folder / "diagnosis.parquet")
    sample = from_frame(frame, cell.objectives)[2]
    assert sample.predictors["update", 1.0].shape == (4, 4)
    assert {m: v.shape[1] for m, v in sample.realised.items()} == {0.5: 3, 1.0: 3, 2.0: 3}
    assert SIGNAL in set(frame["objective"])
    assert sample.predictors["loss", 1.0].shape == (4, 4)
    for kind in DIRECTIONS:
        assert np.isfinite(sample.predictors[kind, 1.0]).all()
    assert sample.reward_covariance.shape == (4, 6, 6)


def test_a_diagnosis_made_twice_is_the_same(diagnosable: Cell) -> None:
    cell = diagnosable
    diagnose(cell)
    first = pd.read_parquet(cell.folder / "diagnosis.parquet")
    for file in (cell.folder / "diagnosis").iterdir():
        file.unlink()
    diagnose(cell)
    pd.testing.assert_frame_equal(pd.read_parquet(cell.folder / "diagnosis.parquet"), first)


def test_an_interrupted_diagnosis_goes_on_where_it_was(
    diagnosable: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = diagnosable
    diagnose(cell)
    (cell.folder / "diagnosis.json").unlink()
    monkeypatch.setattr("benchmark.commands.diagnose.replay_step", _never)
    diagnose(cell)
    assert (cell.folder / "diagnosis.json").is_file()


def _never(*arguments: Any) -> None:
    raise AssertionError("the step was made again")


def test_the_derivative_predicts_small_steps(tracked_project: Project) -> None:
    plan = PLAN | {"steps": [2], "prompts": 40, "samples": 16, "max_prompts": 40}
    plan |= {"multiples": [0.05, 1.0]}
    cell = diagnosed_cell(tracked_project, diagnosis=plan, sampling={"max_tokens": 4})
    diagnose(cell)
    frame = pd.read_parquet(cell.folder / "diagnosis.parquet")
    sample = from_frame(frame, cell.objectives)[2]
    predicted = 0.05 * sample.predictors["update", 1.0].mean(axis=0)[:-1]
    realised = sample.realised[0.05]
    error = realised.std(axis=0, ddof=1) / np.sqrt(len(realised))
    assert (np.abs(realised.mean(axis=0) - predicted) < 4 * error + 0.01).all()


def test_a_study_without_a_diagnosis_is_refused(tracked_project: Project) -> None:
    cell = tracked_project.cell()
    with pytest.raises(CrosstalkError, match=r"lab.yaml: diagnosis: there is none; `diagnosis:"):
        diagnose(cell)


def test_a_cell_that_is_not_trained_is_refused(tracked_project: Project) -> None:
    cell = tracked_project.cell(diagnosis=PLAN, training=EVERY_STEP)
    with pytest.raises(CrosstalkError, match="not trained; run `crosstalk train lab tiny/"):
        diagnose(cell)


@pytest.mark.unprobed
def test_a_model_that_is_not_probed_is_refused(diagnosable: Cell) -> None:
    with pytest.raises(CrosstalkError, match="is not probed; run `crosstalk probe lab tiny"):
        diagnose(diagnosable)


def test_a_missing_checkpoint_is_named(tracked_project: Project) -> None:
    training = {"checkpoint_every": 1, "steps": 4}
    cell = diagnosed_cell(tracked_project, training=training, diagnosis={"steps": [0]})
    asking = tracked_project.cell(training=training, diagnosis={"steps": [0, 1]})
    assert asking.training_hash == cell.training_hash  # what is diagnosed does not retrain
    with pytest.raises(
        CrosstalkError, match=r"checkpoints: expected a checkpoint at step 1, got 3, 4: .* remove "
    ):
        diagnose(asking)
    assert not (cell.folder / "diagnosis.json").exists()


def test_a_step_between_checkpoints_is_refused(tracked_project: Project) -> None:
    message = r"diagnosis.steps: expected multiples of training.checkpoint_every \(2\) .* got 3"
    with pytest.raises(CrosstalkError, match=message):
        tracked_project.study(
            training={"checkpoint_every": 2, "steps": 6}, diagnosis={"steps": [3]}
        )


def test_too_many_held_out_prompts_are_refused(tracked_project: Project) -> None:
    with pytest.raises(CrosstalkError, match=r"diagnosis.prompts and max_prompts: .* 1 to 10000"):
        tracked_project.study(diagnosis={"steps": [0], "prompts": 9000, "max_prompts": 2000})
