"""Publishing and verifying a study, comparing runs, and the small tables beside the large ones."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
import yaml
from studies import SETTINGS, make_root

from benchmark.commands.compare import compare
from benchmark.commands.leaderboard import build, expected_cells
from benchmark.commands.publish import publish, verify
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import PACKAGE
from benchmark.leaderboard.frames.dependence import model_dependence
from benchmark.leaderboard.frames.summary import summarise
from benchmark.leaderboard.pages.comparison import differing_settings, paired_differences
from benchmark.leaderboard.results.table import Table
from benchmark.study import Study, load_study
from benchmark.tracking.record import RunRecord

from .lab import Lab

pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture
def study(lab: Lab, tmp_path: Path) -> Study:
    """A study of two cells, of which ``lab`` has one finished run."""
    changes = {
        "models": {"tiny-qwen2-base": None},
        "objective_sets": {"accuracy-clarity": None},
        "algorithms": {"linear": None, "ctwa": None},
        "seeds": [0],
    }
    root = make_root(tmp_path)
    file = root / "workflow" / "studies" / "quick.yaml"
    file.write_text(yaml.safe_dump(SETTINGS | changes))
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


def test_a_choice_has_a_folder_and_a_page_of_its_own(lab: Lab, study: Study) -> None:
    from benchmark.leaderboard.results.cells import Choice

    chosen = Choice(algorithm=[study.cells[0].algorithm.id])
    _, folder = build([study], allow_mixed=False, choice=chosen, uri=lab.uri)
    assert folder != study.layout.leaderboard
    assert (folder / "index.html").is_file()


def test_runs_are_compared_without_their_completions_too(lab: Lab, study: Study) -> None:
    lab.complete(study.cells[1].id, (0.5, 0.7))
    page = compare(study, study.cells[0].id, study.cells[1].id, uri=lab.uri)
    assert "The completions of one run are gone" in page
    assert "| git_commit" in page
    with pytest.raises(CrosstalkError, match="did you mean"):
        compare(study, study.cells[0].id[:-1], "x/y", uri=lab.uri)


def test_differences_are_paired_by_prompt() -> None:
    one = pandas.DataFrame({"problem": ["p", "p", "q"], "reward/a": [0.0, 1.0, 0.0]})
    other = pandas.DataFrame({"problem": ["p", "q", "r"], "reward/a": [1.0, 1.0, 0.0]})
    found = paired_differences(one, other)["a"]  # 0.5 and 1; the third prompt is in one alone
    assert found.estimate == pytest.approx(0.75)
    assert found.high - found.estimate == pytest.approx(12.7062 * 0.25, rel=1e-4)


def run(params: dict[str, str]) -> RunRecord:
    return RunRecord("r", "FINISHED", 0, 1, {}, params, {})


def test_settings_that_differ_are_listed_with_both_values() -> None:
    found = differing_settings(run({"a": "1", "b": "2"}), run({"a": "3"}))
    assert found == [("a", "1", "3"), ("b", "2", "–")]


def test_dependence_is_the_spread_over_models(results: Table) -> None:
    table = model_dependence(summarise(results.cells)).set_index("algorithm")
    linear = table.loc["linear"]  # worst change -0.1 on m, +0.1 on n
    assert (linear["models"], linear["models_interfered"], linear["patterns"]) == (2, 1, 2)
    assert linear["spread"] == pytest.approx(np.sqrt(0.02))
    assert linear["given_up"] == "m: b; n: none"
    assert linear["interference_rate_low"] == pytest.approx(0.012579, abs=1e-5)


def test_the_citation_file_has_what_its_format_requires() -> None:
    found = yaml.safe_load((PACKAGE.parent / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= found.keys()
    assert found["cff-version"] == "1.2.0"
