"""Results as tidy frames: of a store, a study, a published folder, also of the last version."""

import json
import shutil
from pathlib import Path

import jsonschema
import pandas
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard import schema
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.reading import read_table, typed
from benchmark.leaderboard.writing import csv_frames, write_leaderboard
from benchmark.results import Results, load
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import prepare_store

from .lab import Lab

SCHEMAS = Path(schema.__file__).parent


@pytest.fixture(scope="module")
def published(study_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_leaderboard(Frames(study_lab.collect()), folder)
    return folder


@pytest.fixture(scope="module")
def stored(study_lab: Lab) -> Results:
    return load(study_lab.uri)


@pytest.fixture
def first(published: Path, tmp_path: Path) -> Path:
    """The folder as the first version would have published it."""
    folder = Path(shutil.copytree(published, tmp_path / "first"))
    record = json.loads((folder / "provenance.json").read_text())
    del record["schema_version"], record["lock_hashes"]
    for cell in record["cells"].values():
        del cell["row"]
    record |= {"schema": 1, "lock_hash": "abc"}
    (folder / "provenance.json").write_text(json.dumps(record))
    (folder / "curves.csv").unlink()
    cells = pandas.read_csv(folder / "cells.csv").drop(columns=["max_tokens", "fell"])
    cells.to_csv(folder / "cells.csv", index=False)
    return folder


def test_a_run_has_its_place_its_outcome_and_its_origin(stored: Results) -> None:
    run = stored.runs.set_index("cell").loc["m/pair/linear/seed0"]
    assert (run["model"], run["algorithm"], run["seed"], run["prompts"]) == ("m", "linear", 0, 101)
    assert (run["git_commit"], run["environment"]) == ("c0ffee", "3.11.7-2.13.0")
    assert run["worst_change"] == pytest.approx(-0.1)
    assert run["start_time"] <= run["end_time"]
    assert stored.runs.groupby("reference")["cell"].count().to_dict() == {False: 4, True: 4}


def test_an_objective_has_a_row_in_each_run(stored: Results) -> None:
    rows = stored.objectives.set_index(["cell", "objective"])
    assert len(rows) == 16
    fallen = rows.loc[("m/pair/linear/seed0", "b")]
    assert (fallen["initial"], fallen["final"]) == (0.6, 0.5)
    assert fallen["delta"] == pytest.approx(-0.1)
    assert fallen["interfered"]


def test_a_published_folder_gives_what_its_store_gives(stored: Results, published: Path) -> None:
    alone = load(published)
    for name in ("runs", "objectives", "costs"):
        pandas.testing.assert_frame_equal(getattr(alone, name), getattr(stored, name), rtol=1e-5)
    validated = stored.curves[stored.curves["metric"].str.match("validation/[ab]$")]
    by = ["cell", "metric", "step"]
    pandas.testing.assert_frame_equal(
        *(frame.sort_values(by, ignore_index=True) for frame in (alone.curves, validated))
    )


def test_every_column_has_a_meaning_and_a_unit(stored: Results) -> None:
    for table in ("runs", "objectives", "curves", "costs"):
        told = stored.columns(table)
        assert list(told["column"]) == list(getattr(stored, table).columns)
        assert told["meaning"].str.len().min() > 0
        assert told["unit"].str.len().min() > 0
    with pytest.raises(CrosstalkError, match="unknown table 'run'"):
        stored.columns("run")


def test_completions_are_those_of_the_store(
    lab: Lab, study_lab: Lab, published: Path, tmp_path: Path
) -> None:
    cell = lab.expect("m", "linear")
    run: CellRun = lab.start(cell)
    lab.log(run, cell, (0.5, 0.7))
    frame = pandas.DataFrame({"problem": ["p"], "completion": ["1"], "reward/a": [0.5]})
    frame.to_parquet(tmp_path / "completions.parquet")
    run.artifact(tmp_path / "completions.parquet")
    run.end("complete")
    found = load(lab.uri)
    assert found.completions.to_dict("records") == [
        {"cell": cell, "problem": "p", "completion": "1", "reward/a": 0.5}
    ]
    assert set(found.columns("completions")["column"]) == set(found.completions.columns)
    with pytest.raises(CrosstalkError, match="completions: expected a study or its tracking"):
        _ = load(published).completions
    with pytest.raises(CrosstalkError, match=r"its completions\.parquet is gone$"):
        _ = load(study_lab.uri).completions


def test_a_store_of_several_studies_asks_which(lab: Lab) -> None:
    prepare_store(lab.uri, "other")
    with pytest.raises(CrosstalkError, match="study: expected one of other, quick, got none"):
        load(lab.uri)
    with pytest.raises(CrosstalkError, match="'other': none of its tracked runs is complete"):
        load(lab.uri, study="other")
    with pytest.raises(CrosstalkError, match="unknown study 'third'"):
        load(lab.uri, study="third")


def test_the_last_version_is_read(first: Path, stored: Results) -> None:
    found = load(first)
    assert list(found.runs["cell"]) == list(stored.runs["cell"])
    assert found.runs["max_tokens"].isna().all()
    assert list(found.objectives.columns) == list(stored.objectives.columns)
    with pytest.raises(CrosstalkError, match="curves: a version published it that wrote none"):
        _ = found.curves


@pytest.mark.parametrize("change", [{"schema_version": 3}, {"schema_version": "2"}, {"schema": 1}])
def test_a_version_that_is_not_known_is_refused(
    published: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    record = json.loads((published / "provenance.json").read_text())
    record |= change
    if "schema" in change:
        record |= {"schema": 0}
        del record["schema_version"]
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    with pytest.raises(CrosstalkError, match=r"schema_version: expected 1 or 2, got ['\d]+: anoth"):
        load(tmp_path)


def test_a_folder_that_is_not_whole_is_refused(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "half"))
    rows = (folder / "cells.csv").read_text().splitlines(keepends=True)
    (folder / "cells.csv").write_text("".join(rows[:-4]))
    with pytest.raises(CrosstalkError, match=r"expected the same runs in provenance\.json and"):
        load(folder)
    (folder / "cells.csv").write_text("".join(row.split(",", 1)[1] for row in rows))
    with pytest.raises(CrosstalkError, match=r"cells\.csv: columns: expected study, got none"):
        load(folder)
    (folder / "cells.csv").unlink()
    with pytest.raises(CrosstalkError, match=r"cells\.csv: no such file: .* is not whole"):
        load(folder)
    record = json.loads((folder / "provenance.json").read_text())
    record["cells"]["m/pair/linear/seed0"]["row"]["seed"] = "0"
    (folder / "provenance.json").write_text(json.dumps(record))
    with pytest.raises(
        CrosstalkError, match=r"linear/seed0\.row\.seed: expected an integer, got '0'"
    ):
        load(folder)
    with pytest.raises(CrosstalkError, match=r"expected a published folder, which holds prov"):
        load(tmp_path)


def test_the_schemas_are_those_of_what_is_written(study_lab: Lab, published: Path) -> None:
    frames = csv_frames(Frames(study_lab.collect()))
    columns = {name: list(frame.columns) for name, frame in frames.items()}
    read = {
        name: json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        for name in ("provenance", "tables")
    }
    assert read["provenance"] == schema.provenance_schema(), "run dev/schemas.py"
    assert read["tables"] == schema.tables_schema(columns), "run dev/schemas.py"
    jsonschema.validate(json.loads((published / "provenance.json").read_text()), read["provenance"])
    for name in columns:
        rows = typed(read_table(published, name, columns[name])).to_json(orient="records")
        jsonschema.validate({name: json.loads(rows)}, read["tables"])
