"""What a cell's hash covers: editing a thing reruns the cells it touches, and no others."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from studies import MODELS, SETTINGS, load_study, make_root

from benchmark.common import fingerprint
from benchmark.common.fingerprint import digest, import_closure, modules, sources_of
from benchmark.common.paths import PACKAGE
from benchmark.models.entry import ModelSpec
from benchmark.models.preparing import model_digest
from benchmark.objectives import OBJECTIVES, Objective
from benchmark.scalarizers import SCALARIZERS, Scalarizer
from benchmark.study import Study, digests
from benchmark.tasks import TASKS, Task

Hashes = dict[str, str]  # by cell id
Cells = Callable[[str], bool]  # whether a change should touch the cell of an id


def every(cell: str) -> bool:
    return True


def none(cell: str) -> bool:
    return False


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have source files read again until the test ends, as a new process would.

    What a text means is kept: it is the same in every process.
    """
    kept = {**vars(fingerprint), **vars(digests)}.values()
    fresh = {
        id(each): cache(each.__wrapped__)
        for each in kept
        if hasattr(each, "cache_clear") and "source" not in signature(each).parameters
    }
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] == PACKAGE.name]
    for module in ours:
        for name, value in list(vars(module).items()):
            if id(value) in fresh:
                monkeypatch.setattr(module, name, fresh[id(value)])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def hashes(study: Study) -> Hashes:
    return {cell.id: cell.hash for cell in study.cells}


def training_hashes(study: Study) -> Hashes:
    return {cell.id: cell.training_hash for cell in study.cells}


def changed(before: Hashes, after: Hashes) -> set[str]:
    """Return the cells in both whose hash differs; there have to be cells in both."""
    both = before.keys() & after.keys()
    assert both
    return {cell for cell in both if before[cell] != after[cell]}


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addition",
    [
        {"seeds": [0, 1, 2]},
        {"models": SETTINGS["models"] | {"tiny-qwen2-ift": None}},
        {"algorithms": SETTINGS["algorithms"] | {"tchebycheff": {"rho": 0.1}}},
        {"objective_sets": SETTINGS["objective_sets"] | {"accuracy-clarity": None}},
    ],
)
def test_a_new_entry_of_an_axis_leaves_every_other_cell_alone(
    root: Path, addition: dict[str, Any]
) -> None:
    before = hashes(load_study(root))
    after = hashes(load_study(root, **addition))
    assert len(after) > len(before)
    assert before.items() <= after.items()


def test_a_new_entry_of_the_models_file_changes_nothing(root: Path) -> None:
    before = hashes(load_study(root))
    (root / "models.yaml").write_text(f"{MODELS}another: {{path: somewhere}}\n")
    assert hashes(load_study(root)) == before


def test_every_cell_has_a_hash_of_its_own(root: Path) -> None:
    study = load_study(root)
    assert len(set(hashes(study).values())) == len(study.cells)
    assert len(set(training_hashes(study).values())) == len(study.cells)


def test_the_hash_does_not_depend_on_an_algorithms_name_alone(root: Path) -> None:
    study = load_study(root, algorithms={"linear": None, "again": {"scalarizer": "linear"}})
    found = hashes(study)
    assert found["tiny-qwen2-base/math3/again/seed0"] == found["tiny-qwen2-base/math3/linear/seed0"]


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (
            {"algorithms": SETTINGS["algorithms"] | {"ctwa": {"step_size": 0.2}}},
            lambda cell: "/ctwa/" in cell,
        ),
        (
            {"models": SETTINGS["models"] | {"tiny-qwen3-base": {"learning_rate": 1e-3}}},
            lambda cell: cell.startswith("tiny-qwen3-base/"),
        ),
        (
            {"objective_sets": SETTINGS["objective_sets"] | {"math3": {"weights": [2, 1, 1]}}},
            lambda cell: "/math3/" in cell,
        ),
        ({"training": {"steps": 61}}, every),
        ({"training": {"learning_rate": 1e-3}}, every),
        ({"training": {"clip": "off"}}, every),
        ({"sampling": {"temperature": 0.9}}, every),
        ({"task": {"train": 512}}, every),
        ({"task": {"test": 128}}, every),
    ],
)
def test_a_changed_setting_retrains_the_cells_it_touches(
    root: Path, change: dict[str, Any], touched: Cells
) -> None:
    before, after = load_study(root), load_study(root, **change)
    expected = {cell.id for cell in before.cells if touched(cell.id)}
    assert changed(training_hashes(before), training_hashes(after)) == expected
    assert changed(hashes(before), hashes(after)) == expected


@pytest.mark.parametrize("change", [{"samples": 5}, {"seed": 1}])
def test_a_changed_evaluation_evaluates_again_without_training(
    root: Path, change: dict[str, int]
) -> None:
    before, after = load_study(root), load_study(root, evaluation=change)
    assert training_hashes(after) == training_hashes(before)
    assert len(changed(hashes(before), hashes(after))) == len(before.cells)


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Other words."},
        {"models": SETTINGS["models"] | {"tiny-qwen3-base": {"memory_mb": 9000}}},
        {"models": SETTINGS["models"] | {"tiny-qwen3-base": {}}},
        {"training": {"steps": 60, "estimator": "grpo"}},  # the defaults, spelled out
        {"objective_sets": {"accuracy-conciseness": None, "math3": {}}},
    ],
)
def test_what_does_not_determine_the_result_changes_no_hash(
    root: Path, change: dict[str, Any]
) -> None:
    before = load_study(root)
    assert hashes(load_study(root, **change)) == hashes(before)


def test_the_resources_of_a_model_change_no_hash_and_its_source_changes_its_own(
    root: Path,
) -> None:
    models = {"models": {"hub-model": None, "tiny-qwen2-base": None}}
    before = hashes(load_study(root, **models))
    file = root / "models.yaml"
    file.write_text(MODELS.replace("revision: 01", "resources: {gpus: 1}, revision: 01"))
    assert hashes(load_study(root, **models)) == before
    file.write_text(MODELS.replace("revision: 01", "revision: 11"))
    after = hashes(load_study(root, **models))
    assert changed(before, after) == {cell for cell in before if cell.startswith("hub-model/")}


def test_a_model_changes_with_the_one_it_is_tuned_from(root: Path) -> None:
    models = {"models": {"tiny-qwen2-ift": None, "tiny-qwen3-base": None}}
    before = hashes(load_study(root, **models))
    (root / "models.yaml").write_text(
        MODELS.replace("{recipe: tiny-qwen2-base}", "{recipe: tiny-qwen2-base, chat_template: ''}")
    )
    after = hashes(load_study(root, **models))
    assert changed(before, after) == {cell for cell in before if cell.startswith("tiny-qwen2-ift/")}


# --- sources ---------------------------------------------------------------------------------


def edited(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have files of the package look as if they had been edited."""
    added, real = {PACKAGE / name: "\nEDITED = True\n" for name in names}, fingerprint._source
    assert all(target.is_file() for target in added)
    forget(monkeypatch)
    monkeypatch.setattr(fingerprint, "_source", lambda path: real(path) + added.get(path, ""))


@pytest.mark.parametrize(
    ("name", "touched"),
    [
        ("scalarizers/ctwa.py", lambda cell: "/ctwa/" in cell),
        ("scalarizers/single.py", lambda cell: "/single-" in cell),
        ("scalarizers/tchebycheff.py", none),
        ("scalarizers/base.py", every),
        ("objectives/clarity.py", lambda cell: "/math3/" in cell),
        ("objectives/conciseness.py", every),
        ("objectives/verifier_worker.py", every),
        ("objectives/base.py", every),
        ("tasks/arithmetic.py", every),
        ("training/trainer.py", every),
        ("commands/jobs/trainer.py", every),
        ("advantages.py", every),
        ("covariance.py", every),
        ("models/tiny/styles.py", lambda cell: not cell.startswith("hub-model/")),
        ("models/tiny/build.py", lambda cell: not cell.startswith("hub-model/")),
    ],
)
def test_an_edited_source_retrains_the_cells_it_touches(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, touched: Cells
) -> None:
    settings = {"models": {"tiny-qwen2-base": None, "hub-model": None}}
    before = training_hashes(load_study(root, **settings))
    edited(monkeypatch, name)
    after = training_hashes(load_study(root, **settings))
    assert changed(before, after) == {cell for cell in before if touched(cell)}


def test_an_edited_evaluation_does_not_retrain(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_study(root)
    trained, evaluated = training_hashes(before), hashes(before)
    edited(monkeypatch, "models/policy/answers.py")
    after = load_study(root)
    assert training_hashes(after) == trained
    assert changed(evaluated, hashes(after)) == evaluated.keys()


def test_the_initial_policys_evaluation_does_not_depend_on_the_training(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_study(root).baseline_hash("tiny-qwen2-base", "math3")
    edited(monkeypatch, "training/trainer.py")
    study = load_study(root, training={"steps": 3}, algorithms={"linear": None}, seeds=[5])
    assert study.baseline_hash("tiny-qwen2-base", "math3") == before
    edited(monkeypatch, "objectives/clarity.py")
    assert load_study(root).baseline_hash("tiny-qwen2-base", "math3") != before


def test_what_reads_settings_or_writes_tables_changes_no_hash(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hashes(load_study(root))
    edited(
        monkeypatch,
        *("commands/cli.py", "study/study.py", "study/schema.py", "common/files.py"),
        *("common/errors.py", "tracking/run.py", "commands/run.py", "study/checks.py"),
        *("common/parameters.py", "scalarizers/__init__.py", "scalarizers/torchjd_papers.py"),
        *("objectives/__init__.py", "tasks/__init__.py"),
        *("interference/metrics.py", "leaderboard/pages/page.py", "commands/train.py"),
        *("commands/evaluate.py", "commands/prepare.py", "study/loading.py", "study/digests.py"),
    )
    assert hashes(load_study(root)) == before


MINE = """\
from benchmark.scalarizers import CTWA, ScoreScalarizer
from {helper} import total


class Mine(ScoreScalarizer):
    def score(self, rewards):
        return total(rewards)


class Derived(CTWA):
    pass
"""


@pytest.mark.parametrize("name", ["mine_edited", "study", "training"])
@pytest.mark.parametrize("part", ["its file", "a module beside it"])
def test_an_edited_scalarizer_of_a_user_touches_its_cells_only(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: str
) -> None:
    helper = {"study": "errors", "training": "files"}.get(name, "helper_of_mine")
    (root / f"{helper}.py").write_text("def total(rewards):\n    return rewards.sum(dim=1)\n")
    (root / f"{name}.py").write_text(MINE.format(helper=helper))
    for module in (name, helper):
        monkeypatch.delitem(sys.modules, module, raising=False)
    settings = {"algorithms": {"linear": None, "mine": {"scalarizer": f"{name}:Mine"}}}
    before = hashes(load_study(root, **settings))
    file = root / f"{name if part == 'its file' else helper}.py"
    file.write_text(f"{file.read_text()}\nEDITED = True\n")
    forget(monkeypatch)
    after = hashes(load_study(root, **settings))
    for module in (name, helper):
        monkeypatch.delitem(sys.modules, module)
    assert changed(before, after) == {cell for cell in before if "/mine/" in cell}


def test_a_users_subclass_of_a_method_changes_with_that_method(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "helper_of_derived.py").write_text("total = None\n")
    (root / "mine_derived.py").write_text(MINE.format(helper="helper_of_derived"))
    settings = {"algorithms": {"linear": None, "mine": {"scalarizer": "mine_derived:Derived"}}}
    before = hashes(load_study(root, **settings))
    edited(monkeypatch, "scalarizers/ctwa.py")
    after = hashes(load_study(root, **settings))
    assert changed(before, after) == {cell for cell in before if "/mine/" in cell}


@pytest.mark.slow
def test_the_hashes_are_those_of_any_other_checkout_and_docs_are_not_in_them(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(PACKAGE, elsewhere / "benchmark", ignore=shutil.ignore_patterns("__pycache__"))
    (elsewhere / "README.md").write_text("Other words.\n")
    registry = elsewhere / "benchmark" / "scalarizers" / "__init__.py"
    registry.write_text(f"{registry.read_text()}\nSCALARIZERS['another'] = Linear\n")
    study = load_study(root)
    found = subprocess.run(
        [sys.executable, "-m", "benchmark", "cells", "lab"],
        cwd=make_root(elsewhere),
        env=os.environ | {"PYTHONPATH": str(elsewhere), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.splitlines() == [f"{cell.hash}  {cell.id}" for cell in study.cells]


# --- the parts -------------------------------------------------------------------------------


def names(paths: Collection[Path]) -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in paths}


def test_the_sources_of_a_score_include_helpers_and_the_workers_script(root: Path) -> None:
    sets = {"a": {"objectives": ["accuracy", "format"]}}
    found = names(load_study(root, objective_sets=sets).scoring_code("a"))
    assert {"objectives/accuracy.py", "objectives/boxed.py", "objectives/verifier.py"} <= found
    assert {"objectives/verifier_worker.py", "objectives/base.py", "tasks/arithmetic.py"} <= found
    assert not {"objectives/clarity.py", "objectives/conciseness.py"} & found


def test_the_sources_leave_out_registries_and_the_reading_of_settings(root: Path) -> None:
    found = names(
        import_closure(
            *modules("training.trainer", "commands.jobs.trainer", "models.policy.answers")
        )
    )
    assert {"training/trainer.py", "covariance.py", "advantages.py"} <= found
    assert "models/policy/loading.py" in found
    assert not [name for name in found if name.endswith("__init__.py")]
    assert (
        not {"study/study.py", "study/schema.py", "common/errors.py", "scalarizers/ctwa.py"} & found
    )


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        *((cls, Scalarizer) for cls in SCALARIZERS.values()),
        *((cls, Objective) for cls in OBJECTIVES.values()),
        *((cls, Task) for cls in TASKS.values()),
    ],
)
def test_the_sources_of_a_registered_class_reach_its_base(cls: type, base: type) -> None:
    (root_file,) = sources_of(base, base)
    own = sources_of(cls, base)
    assert own[0] != root_file
    assert root_file in own
    assert root_file in import_closure(own[0])


def test_a_string_that_only_looks_like_a_script_is_no_source(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f'"""See {"x" * 400}.py"""\nNAMES = ["gone.py", "no such file.py", ".py"]\n')
    assert import_closure(file) == {file}


def test_files_of_one_name_in_two_folders_both_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a" / "same.py", tmp_path / "b" / "same.py"
    for file in (first, second):
        file.parent.mkdir()
        file.write_text("")
    both = digest({}, [first, second])
    second.write_text("EDITED = True\n")
    forget(monkeypatch)
    edited_second = digest({}, [first, second])
    assert len({both, edited_second, digest({}, [first]), digest({})}) == 4


def test_a_digest_depends_on_neither_the_order_of_keys_nor_of_sources() -> None:
    files = modules("common.errors", "common.files", "commands.cli")
    assert digest({"a": 1, "b": [2]}, files) == digest({"b": [2], "a": 1}, files[::-1])
    assert digest({"a": 1, "b": [2]}, files) != digest({"a": 1, "b": [3]}, files)


def test_other_weights_in_a_models_folder_change_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"old")
    (folder / "notes.txt").write_text("not part of a model")
    models = {"mine": ModelSpec(path="model")}
    before = model_digest(models, "mine", tmp_path)
    (folder / "notes.txt").write_text("edited")
    forget(monkeypatch)
    assert model_digest(models, "mine", tmp_path) == before
    (folder / "model.safetensors").write_bytes(b"new")
    forget(monkeypatch)
    assert model_digest(models, "mine", tmp_path) != before
