"""Where a study is read from, and what of it is read."""

import sys
from pathlib import Path
from typing import Any

import pytest
from studies import STUDY, make_root, write_study

from benchmark.common.errors import CrosstalkError
from benchmark.study import check, load_study, study_names

ROOT = Path(__file__).parents[2]
MINE = """\
from benchmark.scalarizers import ScoreScalarizer


class Mine(ScoreScalarizer):
    def __init__(self, objectives, weights=None, *, power=1.0):
        super().__init__(objectives, weights)
        self.power = power

    def score(self, rewards):
        return rewards.sum(dim=1) ** self.power
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def test_a_study_is_found_by_its_path_anywhere(root: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "own.yaml"
    write_study(root).rename(elsewhere)
    study = load_study(str(elsewhere), root)
    assert (study.name, study.where) == ("own", str(elsewhere))
    assert study.given_path == str(elsewhere)
    assert study.cells[0].folder.is_relative_to(root / "results" / "runs" / "own")


@pytest.mark.parametrize(
    "name", ["..", "=cmd()", "<script>", "{wild}", "two\nlines", "a b", "é", "-x", "a" * 101]
)
def test_a_files_name_has_the_rule_of_other_ids(root: Path, name: str) -> None:
    path = write_study(root).with_name(f"{name}.yaml")
    path.write_text("{}")
    with pytest.raises(CrosstalkError, match="the file's name, which is the study's id: expected"):
        load_study(str(path), root)


def test_the_root_is_that_of_the_current_folder(root: Path) -> None:
    study = load_study(STUDY)
    assert study.layout.root == root
    assert study.given_path == f"workflow/studies/{STUDY}.yaml"


def test_the_projects_studies_come_before_those_of_the_package(root: Path) -> None:
    lab = root / "workflow" / "studies" / f"{STUDY}.yaml"
    mine = root / "studies" / "mine.yaml"
    mine.parent.mkdir()
    for path in (mine, mine.with_name("smoke.yaml"), mine.with_name(lab.name)):
        path.write_bytes(lab.read_bytes())
    assert study_names(root)[:4] == [STUDY, "mine", "smoke", *study_names(ROOT)[:1]]
    for name in (STUDY, "mine", "smoke"):
        assert load_study(name, root).given_path == f"studies/{name}.yaml"
    shipped = load_study("quick", root)
    assert shipped.path == ROOT / "workflow" / "studies" / "quick.yaml"
    assert load_study(shipped.given_path, root).cells[0].id == shipped.cells[0].id
    hashes = [cell.hash for cell in load_study("quick", ROOT).cells]
    assert [cell.hash for cell in shipped.cells] == hashes


@pytest.mark.parametrize("name", ["none.yaml", "workflow/studies"])
def test_a_study_that_is_not_there_is_named(root: Path, name: str) -> None:
    with pytest.raises(CrosstalkError, match=name):
        load_study(name, root)


def test_an_unknown_study_brings_the_closest_name(root: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"unknown study 'lap'; did you mean 'lab'\?"):
        load_study("lap", root)


def test_a_wrong_entry_of_the_models_file_is_told_with_that_file(root: Path) -> None:
    (root / "models.yaml").write_text("a: {recipe: tiny-qwen2-base, revison: x}\n")
    with pytest.raises(CrosstalkError, match=r"^models.yaml: a: unknown key 'revison'; did you"):
        load_study(STUDY, root)


@pytest.mark.parametrize("name", study_names(ROOT))
def test_every_study_of_the_project_is_valid(name: str) -> None:
    study = load_study(name, ROOT)
    check(study)
    assert study.cells


def test_loading_reads_no_data_and_makes_no_objective(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(root, task={"name": "table", "path": "nowhere.csv"}, algorithms={"nothing": None})
    study = load_study(STUDY, root)
    assert len(study.cells) == 8
    with pytest.raises(CrosstalkError, match="nowhere"):
        check(study)


@pytest.mark.parametrize("beside", ["the study", "the current folder"])
def test_a_scalarizer_from_a_users_own_file(
    root: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    module = f"mine_beside_{beside.replace(' ', '_')}"
    folder, here = tmp_path_factory.mktemp("user"), tmp_path_factory.mktemp("here")
    ((folder if beside == "the study" else here) / f"{module}.py").write_text(MINE)
    algorithms = {"mine": {"scalarizer": f"{module}:Mine", "power": 2.0}}
    study_file = folder / "own.yaml"
    write_study(root, algorithms=algorithms).rename(study_file)
    monkeypatch.chdir(here)
    # The study's own folder early among the places of modules: it has to stay there.
    before = ["", str(folder), *sys.path]
    monkeypatch.setattr(sys, "path", list(before))
    scalarizer = load_study(str(study_file), root).cells[0].make_scalarizer()
    assert type(scalarizer).__name__ == "Mine"
    assert scalarizer.power == 2.0  # type: ignore[attr-defined]
    assert sys.path == before
