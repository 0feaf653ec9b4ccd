"""Curves read back alike, whichever way: through MLflow, run by run, or of the whole store."""

import math

import pytest

from benchmark.tracking import sqlite as tracked_sqlite
from benchmark.tracking.reading import read_series
from benchmark.tracking.store import Metric, connect, experiment_id, prepare_store

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
def test_curves_are_the_same_whichever_way_they_are_read(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    uri, ids = store
    monkeypatch.setattr(tracked_sqlite, "MOST", 0.5 if way == "of all" else 1.0)
    monkeypatch.setattr(tracked_sqlite, "CHUNK", 2 if way == "in parts" else 500)
    if way == "through MLflow":
        monkeypatch.setattr(tracked_sqlite, "SCHEMAS", set())
    found = list(read_series(uri, {ids[run]: names for run, names in WANTED.items()}))
    assert [series[:3] for series in found] == [(ids[run], *rest) for run, *rest, _ in CURVES]
    for (*_, values), (*_, expected) in zip(found, CURVES, strict=True):
        assert values == pytest.approx(expected, nan_ok=True)


def test_curves_of_a_few_runs_are_looked_up_without_reading_those_of_all(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, ids = store
    read = []
    for way in (tracked_sqlite._of_all, tracked_sqlite._of_some):
        monkeypatch.setattr(
            tracked_sqlite,
            way.__name__,
            lambda *given, way=way: read.append(way.__name__) or way(*given),
        )
    assert len(list(read_series(uri, {ids["tidy"]: ["loss"]}))) == 1
    assert len(list(read_series(uri, {run: ["loss"] for run in ids.values()}))) == 5
    assert read == ["_of_some", "_of_all"]
