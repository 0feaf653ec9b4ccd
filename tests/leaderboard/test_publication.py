"""Publishing and verifying a study, choosing its cells, comparing its runs."""

import json
from pathlib import Path

import pytest
import yaml
from studies import make_root, write_study

from benchmark.commands import report
from benchmark.commands.compare import compare
from benchmark.commands.leaderboard import build, expected_cells
from benchmark.commands.publish import publish, verify
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import PACKAGE
from benchmark.study import Study, load_study

from .lab import Lab
from .test_diagnosed import diagnose, lawful

pytestmark = pytest.mark.xdist_group("site")


TWO_CELLS = {
    "models": {"tiny-qwen2-base": None},
    "objective_sets": {"accuracy-clarity": None},
    "algorithms": {"linear": None, "ctwa": None},
    "seeds": [0],
}


@pytest.fixture
def study(lab: Lab, tmp_path: Path) -> Study:
    """A study of two cells, of which ``lab`` has one finished run."""
    root = make_root(tmp_path)
    write_study(root, **TWO_CELLS).rename(root / "workflow" / "studies" / "quick.yaml")
    study = load_study("quick", root)
    lab.expected = expected_cells(study)
    lab.complete(study.cells[0].id, (0.6, 0.5), commit="c0ffee-dirty")
    return study


def test_a_study_with_missing_cells_is_published_only_if_that_is_said(
    lab: Lab, study: Study
) -> None:
    with pytest.raises(CrosstalkError, match=r"1 of 2 cells have no result \(.*never started\)"):
        publish(study, uri=lab.uri)
    assert not study.layout.leaderboard.exists()
    assert publish(study, allow_missing=True, uri=lab.uri).uncommitted == 1


def test_building_a_leaderboard_leaves_what_is_published(lab: Lab, study: Study) -> None:
    folder = build([study], allow_mixed=False, uri=lab.uri).folder
    assert folder == study.layout.board
    assert (folder / "leaderboard.md").is_file()
    assert not study.layout.leaderboard.exists()
    ignored = (PACKAGE.parent / ".gitignore").read_text().splitlines()
    assert f"/{folder.relative_to(study.layout.root).parts[0]}/*" in ignored


def test_the_report_on_a_diagnosis_is_published_too(
    lab: Lab, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = ("predicted_and_realised", "best_weights", "pl_ratios", "interference_and_geometry")
    for figure in (*figures, "_traces"):  # of measurements that made-up runs do not have
        monkeypatch.setattr(report, figure, lambda *_: [])
    write_study(study.layout.root, **TWO_CELLS, diagnosis={"steps": [0]}).rename(study.path)
    diagnosed = load_study("quick", study.layout.root)
    lab.expected = expected_cells(diagnosed)
    cell = diagnosed.cells[0]
    run = lab.complete(cell.id, (0.6, 0.5))
    diagnose(lab, run, {0: lawful(0)}, tmp_path, cell.objectives, cell.diagnosis_hash)
    files = publish(diagnosed, allow_missing=True, uri=lab.uri).files
    found = {file.relative_to(study.layout.leaderboard).as_posix() for file in files}
    assert {"diagnosis.md", "diagnosis/law.csv"} <= found
    described = (study.layout.leaderboard / "ro-crate-metadata.json").read_text()
    assert '"diagnosis/law.csv"' in described


def test_what_is_published_is_verified_and_what_was_changed_is_named(
    lab: Lab, study: Study
) -> None:
    lab.complete(study.cells[1].id, (0.5, 0.7))
    published = publish(study, uri=lab.uri)
    assert {"index.html", "tables.tex", "DATA.md"} <= {file.name for file in published.files}
    described = json.loads((study.layout.leaderboard / "ro-crate-metadata.json").read_text())
    parts = {part["@id"] for part in described["@graph"] if part["@type"] == "File"}
    assert parts == {file.name for file in published.files} - {"ro-crate-metadata.json"}
    drawn = {f"changes.{ending}" for ending in ("svg", "png", "csv")}
    assert drawn <= {file.name for file in published.files if file.stat().st_size}
    assert verify(study, uri=lab.uri) == []
    page = study.layout.leaderboard / "leaderboard.md"
    page.write_text(page.read_text().replace("ctwa", "ours"))
    assert all(line.startswith("leaderboard.md: ") for line in verify(study, uri=lab.uri))
    assert verify(study, uri=lab.uri)
    (study.layout.leaderboard / "provenance.json").write_text('{"schema_version": 3}')
    with pytest.raises(CrosstalkError, match=r"schema_version: expected 1 or 2, got 3: another"):
        verify(study, uri=lab.uri)


def test_a_choice_has_a_folder_and_a_page_of_its_own(lab: Lab, study: Study) -> None:
    from benchmark.leaderboard.results.cells import Choice

    chosen = Choice(algorithm=[study.cells[0].algorithm.id])
    folder = build([study], allow_mixed=False, choice=chosen, uri=lab.uri).folder
    assert folder.parent == study.layout.board.parent
    assert folder != study.layout.board
    assert (folder / "index.html").is_file()


def test_a_board_is_told_in_plain_values(lab: Lab, study: Study) -> None:
    board = build([study], allow_mixed=False, formats=("csv",), uri=lab.uri)
    told = json.loads(json.dumps(board.record(), allow_nan=False))
    assert (told["study"], told["cells"]) == ("quick", 2)
    assert told["folder"].endswith("results/boards/quick")
    assert [each["cell"] for each in told["missing"]] == [study.cells[1].id]
    assert [row["algorithm"] for row in told["leaderboard"]] == ["linear"]


def test_runs_are_compared_without_their_completions_too(lab: Lab, study: Study) -> None:
    lab.complete(study.cells[1].id, (0.5, 0.7))
    page = compare(study, study.cells[0].id, study.cells[1].id, uri=lab.uri)
    assert "The completions of one run are gone" in page
    assert "| git_commit" in page
    with pytest.raises(CrosstalkError, match="did you mean"):
        compare(study, study.cells[0].id[:-1], "x/y", uri=lab.uri)


def test_the_citation_file_has_what_its_format_requires() -> None:
    found = yaml.safe_load((PACKAGE.parent / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= found.keys()
    assert found["cff-version"] == "1.2.0"


def test_models_of_one_recipe_are_runs_of_one_model(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    names = ("one", "two")
    entries = [f"{name}: {{recipe: lab-long, seed: {k}}}\n" for k, name in enumerate(names, 1)]
    (root / "models.yaml").write_text("".join(entries))
    changes = {"models": dict.fromkeys(names), "algorithms": {"linear": None}, "seeds": [0, 1]}
    write_study(root, **changes).rename(root / "workflow" / "studies" / "quick.yaml")
    found = expected_cells(load_study("quick", root))
    assert {(cell.model, cell.seed) for cell in found.values()} == {
        ("lab-long", seed) for seed in (1000, 1001, 2000, 2001)
    }
    assert len({cell.cell_hash for cell in found.values()}) == len(found)
