"""Runs and curves are read alike, through MLflow or directly from the database."""

import math

import pytest
from mlflow.entities import Metric
from tracked import STUDY, only_run, start

from benchmark.tracking import reading, sqlite
from benchmark.tracking.reading import read_run, read_runs, read_series, read_totals
from benchmark.tracking.record import Kind
from benchmark.tracking.store import connect, experiment_id, prepare_store

POINTS = {  # run -> (metric, value, timestamp, step)
    "tidy": [("loss", 3.0, 1, 0), ("loss", 2.0, 2, 1), ("gain", 0.5, 2, 1)],
    "shuffled": [("loss", 1.0, 1, 5), ("loss", 4.0, 2, 0), ("loss", 2.0, 3, 2)],
    "again": [("loss", 9.0, 1, 0), ("loss", -9.0, 2, 0), ("loss", 7.0, 3, 1), ("loss", 8.0, 2, 1)],
    "at once": [("loss", 1.0, 1, 0), ("loss", 2.0, 1, 0), ("loss", -1.0, 1, 1)],
    "not a number": [("loss", math.nan, 1, 0), ("loss", -3.0, 1, 0), ("loss", math.nan, 1, 1)],
    "other": [("gain", 0.1, 1, 0)],
}
CURVES = [  # by hand: steps ascend; of one step counts the latest, of one instant the greatest
    ("shuffled", "loss", [0, 2, 5], [4.0, 2.0, 1.0]),
    ("tidy", "gain", [1], [0.5]),
    ("tidy", "loss", [0, 1], [3.0, 2.0]),
    ("again", "loss", [0, 1], [-9.0, 7.0]),
    ("at once", "loss", [0, 1], [2.0, -1.0]),
    ("not a number", "loss", [0, 1], [-3.0, math.nan]),
]
WANTED = {
    "shuffled": ["loss"],
    "tidy": ["gain", "loss"],
    "again": ["gain", "loss"],  # it has no gain
    "at once": ["loss"],
    "not a number": ["loss"],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """A store with a run for each entry of :data:`POINTS`, and the runs' ids."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('curves')}/mlflow.db"
    prepare_store(uri, "quick")
    client = connect(uri)
    experiment, ids = experiment_id(client, uri, "quick"), {}
    for name, points in POINTS.items():
        ids[name] = client.create_run(experiment).info.run_id
        client.log_batch(ids[name], [Metric(*point) for point in points])
    return uri, ids


@pytest.mark.parametrize("way", ["of all", "of some", "in parts", "through MLflow"])
def test_curves_are_the_same_every_way(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    uri, ids = store
    monkeypatch.setattr(sqlite, "MOST", 0.5 if way == "of all" else 1.0)
    monkeypatch.setattr(sqlite, "CHUNK", 2 if way == "in parts" else 500)
    if way == "through MLflow":
        monkeypatch.setattr(sqlite, "SCHEMAS", set())
    found = list(read_series(uri, {ids[run]: names for run, names in WANTED.items()}))
    assert [series[:3] for series in found] == [(ids[run], *rest) for run, *rest, _ in CURVES]
    for (*_, values), (*_, expected) in zip(found, CURVES, strict=True):
        assert values == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("way", ["of all", "of some", "through MLflow"])
def test_totals_are_the_same_every_way(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    uri, ids = store
    monkeypatch.setattr(sqlite, "MOST", 0.5 if way == "of all" else 1.0)
    if way == "through MLflow":
        monkeypatch.setattr(sqlite, "SCHEMAS", set())
    wanted = {ids[run]: names for run, names in WANTED.items()}
    found = {(run, name): total for run, name, total in read_totals(uri, wanted)}
    # A step that was logged again counts once.
    expected = {(ids[run], name): math.fsum(values) for run, name, _, values in CURVES}
    assert found == pytest.approx(expected, nan_ok=True)


def test_the_database_adds_up_what_was_logged_once(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, ids = store
    read: list[str] = []
    series = sqlite.read_series
    monkeypatch.setattr(sqlite, "read_series", lambda c, w: read.extend(w) or series(c, w))
    list(read_totals(uri, {run: ["loss"] for run in ids.values()}))
    assert set(read) == {ids[run] for run in ("again", "at once", "not a number", "other")}


def test_curves_of_a_few_runs_are_looked_up(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, ids = store
    read = []
    for way in (sqlite._of_all, sqlite._of_some):
        monkeypatch.setattr(
            sqlite,
            way.__name__,
            lambda *given, way=way: read.append(way.__name__) or way(*given),
        )
    assert len(list(read_series(uri, {ids["tidy"]: ["loss"]}))) == 1
    assert len(list(read_series(uri, {run: ["loss"] for run in ids.values()}))) == 5
    assert read == ["_of_some", "_of_all"]


@pytest.fixture(params=["directly", "through MLflow"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "through MLflow":
        monkeypatch.setattr(sqlite, "SCHEMAS", set())
    return str(request.param)


def test_deleted_runs_are_left_out(uri: str, way: str) -> None:
    connect(uri).delete_run(start(uri).run_id)
    assert read_runs(uri, STUDY) == []


def test_runs_beyond_a_page_are_read(uri: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 2)
    ids = [start(uri, cell=f"m/o/a/seed{seed}").run_id for seed in range(5)]
    assert [run.id for run in read_runs(uri, STUDY)] == ids


def test_final_metrics_are_those_of_the_largest_step(uri: str, way: str) -> None:
    run = start(uri)
    run.log(5, {"a": 5.0, "b": math.nan})
    run.log(3, {"a": 3.0})
    run.flush()
    found = only_run(uri)
    assert found.metrics["a"] == 5.0
    assert math.isnan(found.metrics["b"])
    assert found.params == {"training.steps": "60"}
    assert found.tags["cell_hash"] == "abc"
    assert found.end_time is None
    run.end("complete")
    ended = read_run(uri, run.run_id)
    assert (ended.id, ended.status, ended.mlflow_status) == (run.run_id, "complete", "FINISHED")
    assert ended.end_time >= ended.start_time == found.start_time


def test_only_what_is_wanted_is_read(uri: str, way: str) -> None:
    run = start(uri)
    run.log(1, {"status": 1.0, "b": 2.0})
    run.flush()

    def wanted(kind: Kind, name: str) -> bool:
        return (kind, name) in {("tags", "cell"), ("metrics", "status")}

    (found,) = read_runs(uri, STUDY, wanted)
    assert (found.tags, found.params) == ({"cell": "tiny/math3/ctwa/seed0"}, {})
    assert (found.metrics, found.status) == ({"status": 1.0}, "")
