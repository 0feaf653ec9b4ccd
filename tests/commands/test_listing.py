from pathlib import Path

import pytest
from studies import make_root

from benchmark.commands.listing import rows
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import SHIPPED
from benchmark.models.entry import load_models
from benchmark.objectives import OBJECTIVE_SETS, OBJECTIVES
from benchmark.scalarizers import SCALARIZERS
from benchmark.study import study_names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)


def names(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


def test_models_come_in_the_order_of_the_file_with_their_source(root: Path) -> None:
    lines = rows("models", root)
    own = ["tiny-qwen2-base", "tiny-qwen2-ift", "tiny-qwen3-base", "hub-model"]
    assert names(lines) == [*own, *(name for name in load_models(SHIPPED) if name not in own)]
    assert lines[0].endswith("recipe tiny-qwen2-base")
    assert lines[3].endswith("owner/name at 0123456789abcdef0123456789abcdef01234567")


def test_a_local_model_is_listed_with_its_folder(root: Path) -> None:
    (root / "models.yaml").write_text("mine: {path: models/mine}\n")
    assert rows("models", root)[0].split() == ["mine", "models/mine"]


def test_every_algorithm_is_listed_with_kind_signals_and_source(root: Path) -> None:
    lines = rows("algorithms", root)
    assert names(lines) == list(SCALARIZERS)
    by_name = dict(zip(names(lines), lines, strict=True))
    assert by_name["linear"].split()[1:3] == ["score", "-"]
    assert by_name["lagrangian"].split()[1] == "advantage"
    assert "completion_weights" in by_name["ctwa"]
    assert by_name["famo"].split()[1:3] == ["advantage", "losses"]
    assert all(line.split()[3:] for line in lines)


def test_torchjds_weightings_are_listed_with_their_papers(root: Path) -> None:
    lines = {line.split()[0]: line.split()[1:] for line in rows("algorithms", root)}
    assert lines["torchjd:UPGrad"][:2] == ["gradient", "gramian"]
    assert lines["torchjd:UPGrad"][-1] == "2406.16232"
    assert lines["torchjd:CAGrad"][-1] == "2110.14048"


def test_objectives_and_their_sets_are_listed(root: Path) -> None:
    lines = rows("objectives", root)
    assert names(lines) == [*OBJECTIVES, *OBJECTIVE_SETS]
    assert "set of accuracy, clarity" in lines[names(lines).index("accuracy-clarity")]
    assert all(len(line.split()) > 2 for line in lines)


def test_a_studys_description_takes_one_line(root: Path) -> None:
    studies = root / "workflow" / "studies"
    (studies / "another.yaml").write_text("description: |\n  Two\n  lines.\n")
    (studies / "notes.txt").write_text("no study")
    lines = rows("studies", root)
    assert [line.split() for line in lines[:2]] == [["another", "Two", "lines."], ["lab"]]
    shipped = {file.stem for file in (SHIPPED / "workflow" / "studies").glob("*.yaml")}
    assert names(lines[2:]) == [name for name in study_names(SHIPPED) if name in shipped]
    assert {"laboratory", "quick"} <= shipped  # but not those that tuning derived here


def test_profiles_are_listed_with_their_folders(root: Path) -> None:
    found = dict(line.split() for line in rows("profiles", root))
    assert found.keys() == {"default", "gpu", "kubernetes", "slurm"}
    assert all((Path(folder) / "config.yaml").is_file() for folder in found.values())


def test_columns_are_aligned_and_lines_end_with_text(root: Path) -> None:
    lines = rows("models", root)
    assert len({line.index("recipe") for line in lines[:3]}) == 1
    assert all(
        line == line.rstrip() for what in ("models", "algorithms") for line in rows(what, root)
    )


def test_a_project_without_models_lists_those_of_the_package(root: Path) -> None:
    (root / "models.yaml").write_text("{}\n")
    assert rows("models", root) == rows("models", SHIPPED)


def test_a_broken_file_is_named(root: Path) -> None:
    (root / "workflow" / "studies" / "broken.yaml").write_text("- a list\n")
    with pytest.raises(CrosstalkError, match=r"broken.yaml: expected a mapping"):
        rows("studies", root)
