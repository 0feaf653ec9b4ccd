"""A store that was deleted: cells are tracked anew from the files that they keep."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow.tracking._tracking_service.utils import _get_store
from projects import STUDY, Project
from tracked import tracked_runs

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.evaluate import evaluate
from benchmark.commands.jobs import retracking
from benchmark.commands.jobs.records import Evaluated, Trained
from benchmark.commands.leaderboard import build, collect_frames
from benchmark.commands.prepare import prepare_tracking
from benchmark.commands.run import _find_store
from benchmark.commands.train import train
from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.site.answers import answers_of
from benchmark.study import Cell, load_study
from benchmark.tracking import store
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.reading import run_curves
from benchmark.tracking.store import connect, prepare_store

pytestmark = pytest.mark.slow  # real trainings

LOST = "memory/"  # what no file keeps


@pytest.fixture(autouse=True)
def _quick_store(empty_tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy an empty store where one would be created, which takes a second."""
    monkeypatch.setattr(store, "_create_database", lambda file: shutil.copy(empty_tracking, file))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves the results of an evaluated cell, for the others."""
    return tmp_path_factory.mktemp("evaluated") / "results"


@pytest.fixture
def evaluated(tracked_project: Project, results: Path) -> Cell:
    cell = tracked_project.cell()
    here = tracked_project.root / "results"
    if results.exists():
        shutil.rmtree(here)
        shutil.copytree(results, here, symlinks=True)
    else:
        evaluate_initial(cell.study, "tiny", "math3")
        train(cell)
        evaluate(cell)
        shutil.copytree(here, results, symlinks=True)
    return cell


def only_run(cell: Cell) -> dict[str, object]:
    (run,) = tracked_runs(tracking_uri(cell.study.layout.root), STUDY).to_dict("records")
    return run


def curves(cell: Cell) -> pd.DataFrame:
    frame = run_curves(tracking_uri(cell.study.layout.root), [str(only_run(cell)["run_id"])], "")
    kept = frame[~frame["metric"].str.startswith(LOST)]
    return kept[["metric", "step", "value"]].reset_index(drop=True)


def result(run: dict[str, object]) -> dict[str, object]:
    """Return what does not differ between a run and the same tracked anew."""
    other = ("run_id", "tags.pid", "tags.mlflow", "tags.evaluation_backend", "metrics.memory")
    return {key: value for key, value in run.items() if not key.startswith(other)}


def lose(cell: Cell) -> None:
    """Delete the store; what this process keeps open of it would hide that."""
    (cell.study.layout.root / "results" / "mlflow.db").unlink()
    _get_store(tracking_uri(cell.study.layout.root)).engine.dispose()


def test_preparing_tracks_lost_cells_anew(evaluated: Cell) -> None:
    before, drawn = only_run(evaluated), curves(evaluated)
    times = [(evaluated.folder / kind.FILE).stat().st_mtime_ns for kind in (Trained, Evaluated)]
    page = build([evaluated.study], allow_mixed=False)[0]
    lose(evaluated)
    with pytest.raises(CrosstalkError, match="there is none yet; `crosstalk prepare STUDY`"):
        build([evaluated.study], allow_mixed=False)
    prepare_tracking(evaluated.study)
    after = only_run(evaluated)
    assert after["run_id"] != before["run_id"]
    assert result(after) == result(before)
    pd.testing.assert_frame_equal(curves(evaluated), drawn)
    assert Trained.of(evaluated).run_id == after["run_id"]
    now = [(evaluated.folder / kind.FILE).stat().st_mtime_ns for kind in (Trained, Evaluated)]
    assert now == times  # or the workflow would evaluate again
    assert build([evaluated.study], allow_mixed=False)[0].splitlines()[0] == page.splitlines()[0]
    stored = connect(tracking_uri(evaluated.study.layout.root)).list_artifacts(after["run_id"])
    assert {file.path for file in stored} == {"completions.parquet", INITIAL}


def test_a_run_evaluated_earlier_gets_the_answers_before_training(
    tracked_project: Project,
) -> None:
    evaluated = tracked_project.cell()  # evaluated here: a copy's runs name the first place
    evaluate_initial(evaluated.study, "tiny", "math3")
    train(evaluated)
    evaluate(evaluated)
    uri, root = tracking_uri(evaluated.study.layout.root), evaluated.study.layout.root
    results = collect_frames([evaluated.study], allow_mixed=False).results
    (place,) = answers_of(uri, results)
    first, second = place["prompts"][0]["written"]
    assert (first["by"], second["by"]) == ("", "linear")
    assert first["text"] != "" != second["text"]
    for file in root.rglob(INITIAL):  # as of runs before there were any
        file.unlink()
    assert [w["by"] for w in answers_of(uri, results)[0]["prompts"][0]["written"]] == ["linear"]
    prepare_tracking(evaluated.study)
    assert answers_of(uri, results) == [place]


def test_a_run_finds_a_deleted_store(evaluated: Cell) -> None:
    prepare_tracking(evaluated.study)
    assert only_run(evaluated)["run_id"] == Trained.of(evaluated).run_id  # not tracked twice
    lose(evaluated)
    _find_store(evaluated.study)
    assert only_run(evaluated)["tags.status"] == "complete"


@pytest.mark.parametrize("stage", [train, evaluate])
def test_each_stage_finds_a_lost_run(evaluated: Cell, stage: object) -> None:
    lost = Trained.of(evaluated).run_id
    lose(evaluated)
    prepare_store(tracking_uri(evaluated.study.layout.root), STUDY)  # an older one, put back
    stage(evaluated)  # type: ignore[operator]
    assert only_run(evaluated)["tags.status"] == "complete"
    assert Trained.of(evaluated).run_id != lost


def test_provenance_is_that_of_the_training(
    evaluated: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = only_run(evaluated)["tags.environment_hash"]
    lose(evaluated)
    monkeypatch.setattr("benchmark.commands.jobs.provenance.environment", lambda: {"torch": "9"})
    prepare_tracking(evaluated.study)
    assert only_run(evaluated)["tags.environment_hash"] == before


def test_a_cell_without_its_tags_says_what_to_do(evaluated: Cell) -> None:
    (evaluated.folder / retracking.KEPT).unlink()
    lose(evaluated)
    with pytest.raises(CrosstalkError) as caught:
        prepare_tracking(evaluated.study)
    told = str(caught.value)
    assert f"remove {Path('results/runs/lab') / evaluated.id / 'train.json'}, and" in told
    (evaluated.folder / Trained.FILE).unlink()
    train(evaluated)
    evaluate(evaluated)
    assert only_run(evaluated)["tags.status"] == "complete"


def test_a_study_never_announced_is_trained(tracked_project: Project) -> None:
    """Its tracking entry is made where a stage is called by hand."""
    root = tracked_project.root / "workflow" / "studies"
    tracked_project.study()
    (root / "other.yaml").write_text((root / "lab.yaml").read_text())
    cell = load_study("other", tracked_project.root).cells[0]
    train(cell)
    found = tracked_runs(tracking_uri(tracked_project.root), "other")
    assert list(found["tags.status"]) == ["trained"]
    assert json.loads((cell.folder / Trained.FILE).read_text())["run_id"] == found["run_id"][0]
