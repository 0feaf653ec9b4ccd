"""The matrix of cells, what their names stand for, and their digests."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from reward_models import build_reward_model
from studies import load_study, make_root

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import content_digest
from benchmark.common.paths import PACKAGE
from benchmark.objectives import OBJECTIVE_SETS as NAMED
from benchmark.objectives import RewardModel
from benchmark.scalarizers import CTWA, Random, Single
from benchmark.study import Study, memory_mb, training_gpus


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def ids(study: Study) -> list[str]:
    return [cell.id for cell in study.cells]


# --- the matrix ------------------------------------------------------------------------------


def test_the_cells_are_the_product_of_the_axes(root: Path) -> None:
    found = ids(load_study(root))
    assert len(found) == len(set(found)) == 2 * 2 * (2 + 3) + 2 * 2 * (2 + 2)
    assert found[:3] == [
        "tiny-qwen2-base/math3/linear/seed0",
        "tiny-qwen2-base/math3/linear/seed1",
        "tiny-qwen2-base/math3/ctwa/seed0",
    ]


def test_each_stands_for_one_cell_per_objective_of_the_set(root: Path) -> None:
    study = load_study(root, seeds=[0], algorithms={"single": {"objective": "each"}})
    assert ids(study)[:5] == [
        "tiny-qwen2-base/math3/single-accuracy/seed0",
        "tiny-qwen2-base/math3/single-conciseness/seed0",
        "tiny-qwen2-base/math3/single-clarity/seed0",
        "tiny-qwen2-base/accuracy-conciseness/single-accuracy/seed0",
        "tiny-qwen2-base/accuracy-conciseness/single-conciseness/seed0",
    ]
    scalarizer = study.cells[2].make_scalarizer()
    assert isinstance(scalarizer, Single)
    assert scalarizer.objective == "clarity"


def test_an_algorithm_may_stand_twice_with_other_parameters(root: Path) -> None:
    study = load_study(
        root, algorithms={"slow": {"scalarizer": "ctwa", "step_size": 0.01}, "ctwa": None}
    )
    slow = study.cell("tiny-qwen3-base/math3/slow/seed1").make_scalarizer()
    assert isinstance(slow, CTWA)
    assert slow.step_size == 0.01


def test_a_method_learns_how_long_training_is(root: Path) -> None:
    rules = {"rvpo": {"k_end": 2.0}, "short": {"scalarizer": "rvpo", "total_steps": 5}}
    study = load_study(root, algorithms=rules, training={"steps": 7})
    assert study.cell("tiny-qwen3-base/math3/rvpo/seed1").parameters["total_steps"] == 7
    assert study.cell("tiny-qwen3-base/math3/short/seed1").parameters["total_steps"] == 5


def test_an_entry_may_say_what_its_method_updates_after(root: Path) -> None:
    study = load_study(root, algorithms={"ctwa": {"update_every": "step"}, "linear": None})
    cells = [study.cell(f"tiny-qwen3-base/math3/{name}/seed1") for name in ("ctwa", "linear")]
    assert [cell.make_scalarizer().update_every for cell in cells] == ["step", "rollout"]
    assert cells[0].specification["algorithm"]["parameters"] == {"update_every": "step"}
    with pytest.raises(CrosstalkError, match="algorithm 'mgda': update_every: expected step with"):
        load_study(root, algorithms={"mgda": {"update_every": "rollout"}})


def test_exclude_drops_the_cells_that_agree_with_every_axis_given(root: Path) -> None:
    everything = set(ids(load_study(root)))
    left = set(ids(load_study(root, exclude=[{"model": "tiny-qwen3-base", "seed": 1}])))
    dropped = everything - left
    assert left < everything
    assert dropped == {i for i in everything if i.startswith("tiny-qwen3") and i.endswith("seed1")}


def test_include_adds_exactly_one_cell(root: Path) -> None:
    before = ids(load_study(root))
    extra = {
        "model": "tiny-qwen2-ift",  # not on the axis, but in models.yaml
        "objectives": "math3",
        "algorithm": "single-clarity",
        "seed": 7,
    }
    after = ids(load_study(root, include=[extra]))
    assert after == [*before, "tiny-qwen2-ift/math3/single-clarity/seed7"]


def test_include_brings_back_one_excluded_cell(root: Path) -> None:
    chosen = {
        "model": "tiny-qwen3-base",
        "objectives": "math3",
        "algorithm": "linear",
        "seed": 0,
    }
    found = ids(load_study(root, exclude=[{"model": "tiny-qwen3-base"}], include=[chosen]))
    assert [i for i in found if "qwen3" in i] == ["tiny-qwen3-base/math3/linear/seed0"]


def test_a_cell_is_found_by_its_id_and_an_unknown_one_named(root: Path) -> None:
    study = load_study(root)
    cell = study.cell("tiny-qwen2-base/math3/linear/seed1")
    assert (cell.seed, cell.objectives) == (1, ("accuracy", "conciseness", "clarity"))
    assert cell.folder == root / "results/runs/lab/tiny-qwen2-base/math3/linear/seed1"
    with pytest.raises(CrosstalkError, match=r"unknown cell 'tiny-qwen2-base/math3/linaer/seed1'"):
        study.cell("tiny-qwen2-base/math3/linaer/seed1")


def test_a_models_own_learning_rate_and_memory_win(root: Path) -> None:
    study = load_study(
        root,
        models={"tiny-qwen2-base": {"learning_rate": 1e-5, "memory_mb": 500}, "hub-model": None},
        training={"learning_rate": 2e-5},
    )
    rates = {cell.model: cell.learning_rate for cell in study.cells}
    assert rates == {"tiny-qwen2-base": 1e-5, "hub-model": 2e-5}
    assert memory_mb(study, "tiny-qwen2-base") == 500
    assert memory_mb(study, "hub-model") == 2000


def test_models_are_prepared_after_those_they_are_made_from(root: Path) -> None:
    study = load_study(root, models={"tiny-qwen2-ift": None, "tiny-qwen3-base": None})
    assert study.preparation_order() == ["tiny-qwen2-base", "tiny-qwen2-ift", "tiny-qwen3-base"]


def test_a_set_of_ones_own_has_its_own_objectives_and_weights(root: Path) -> None:
    sets = {"mine": {"objectives": ["clarity", "accuracy"], "weights": [1, 3]}}
    cell = load_study(root, objective_sets=sets).cells[0]
    assert cell.objectives == ("clarity", "accuracy")
    assert cell.make_scalarizer().weights.tolist() == [0.25, 0.75]
    assert cell.specification["objectives"] == {
        "names": ["clarity", "accuracy"],
        "weights": (1.0, 3.0),
    }


# --- the seed of a scalarizer that draws -----------------------------------------------------


def test_a_scalarizer_that_takes_a_seed_gets_the_cells(root: Path) -> None:
    study = load_study(root, algorithms={"random": None}, seeds=[3, 5])
    scalarizers = [cell.make_scalarizer() for cell in study.cells]
    assert all(isinstance(scalarizer, Random) for scalarizer in scalarizers)
    assert {scalarizer.seed for scalarizer in scalarizers} == {3, 5}  # type: ignore[attr-defined]


def test_a_seed_in_the_study_wins(root: Path) -> None:
    study = load_study(root, algorithms={"random": {"seed": 11}}, seeds=[3, 5])
    seeds = {cell.make_scalarizer().seed for cell in study.cells}  # type: ignore[attr-defined]
    assert seeds == {11}


# --- objectives with parameters --------------------------------------------------------------

OBJECTIVES: dict[str, Any] = {
    "helpful": {"objective": "reward_model", "model": "reward", "batch_size": 4},
    "short": {"objective": "length_penalty", "target": 16, "limit": 48},
    "shorter": {"objective": "length_penalty", "target": 4, "limit": 12},
}
SETS = {"hh": {"objectives": ["helpful", "short", "shorter", "accuracy"]}, "math3": None}


@pytest.fixture
def reward(root: Path) -> Path:
    """The folder of a reward model that ``models.yaml`` knows as ``reward``."""
    with (root / "models.yaml").open("a") as file:
        file.write("reward: {path: reward, resources: {memory_mb: 300}}\n")
    return build_reward_model(root / "reward")


def load_hh(root: Path, **changes: Any) -> Study:
    """Load the study with two sets and :data:`OBJECTIVES`, some entries changed."""
    return load_study(root, objectives=OBJECTIVES | changes, objective_sets=SETS)


def test_an_id_of_a_set_is_an_objective_with_parameters_or_one_of_the_package(
    root: Path, reward: Path
) -> None:
    study = load_hh(root)
    helpful, short, shorter, accuracy = study.make_objectives("hh")
    assert study.objective_names("hh") == ("helpful", "short", "shorter", "accuracy")
    assert [o.name for o in (helpful, short, shorter, accuracy)] == list(SETS["hh"]["objectives"])
    assert isinstance(helpful, RewardModel)
    assert (helpful.folder, helpful.batch_size) == (root / "results/models/reward", 4)
    assert short(completions=["x"], completion_ids=[[0] * 32]) == [0.5]
    assert shorter(completions=["x"], completion_ids=[[0] * 8]) == [0.5]
    assert study.cells[0].make_scalarizer().objectives == study.objective_names("hh")


def test_an_objective_may_keep_its_own_name_and_get_parameters(root: Path) -> None:
    study = load_study(root, objectives={"conciseness": {"threshold": 9}})
    first, second = study.make_objectives("accuracy-conciseness")
    assert second.name == "conciseness"
    assert second(completions=["x", "x"], completion_ids=[[0] * 8, [0] * 9]) == [1, 0]
    assert first.name == "accuracy"


def test_each_stands_for_ids_of_the_study_as_well(root: Path, reward: Path) -> None:
    study = load_hh(root)
    found = {algorithm.id for algorithm in study.algorithms("hh")}
    assert {"single-helpful", "single-short", "single-shorter", "single-accuracy"} <= found


def test_a_sets_models_are_prepared_too_and_ask_for_memory(root: Path, reward: Path) -> None:
    study = load_hh(root)
    assert study.preparation_order() == ["tiny-qwen2-base", "reward", "tiny-qwen3-base"]
    assert study.objective_models("hh") == ("reward",)
    assert study.objective_models("math3") == ()
    assert memory_mb(study, "tiny-qwen2-base", "hh") == 2300
    assert memory_mb(study, "tiny-qwen2-base", "math3") == 2000
    assert memory_mb(study, "reward") == 300


def test_a_set_shares_the_gpus_of_its_largest_model(root: Path, reward: Path) -> None:
    file = root / "models.yaml"
    file.write_text(file.read_text().replace("{memory_mb: 300}", "{memory_mb: 300, gpus: 2}"))
    study = load_hh(root)
    assert training_gpus(study, "tiny-qwen2-base", "hh") == 2
    assert training_gpus(study, "tiny-qwen2-base", "math3") == 0


def hashes(study: Study, objective_set: str) -> dict[str, set[str]]:
    """Return the hashes of a set's cells, and of the evaluations of its initial policies."""
    cells = [cell for cell in study.cells if cell.objective_set == objective_set]
    baselines = {study.baseline_hash(cell.model, objective_set) for cell in cells}
    return {
        "training": {cell.training_hash for cell in cells},
        "cell": {cell.hash for cell in cells},
        "baseline": baselines,
    }


def assert_all_differ(first: dict[str, set[str]], second: dict[str, set[str]]) -> None:
    assert all(first[kind] and not first[kind] & second[kind] for kind in first)


@pytest.mark.parametrize(
    "changes",
    [
        {"short": OBJECTIVES["short"] | {"limit": 49}},
        {"short": OBJECTIVES["short"] | {"shape": "cosine"}},
        {"helpful": OBJECTIVES["helpful"] | {"squash": False}},
        {"short": {"objective": "format"}},
    ],
)
def test_other_parameters_rerun_the_sets_that_name_them_and_no_other(
    root: Path, reward: Path, changes: dict[str, Any]
) -> None:
    before, after = load_hh(root), load_hh(root, **changes)
    assert_all_differ(hashes(before, "hh"), hashes(after, "hh"))
    assert hashes(before, "math3") == hashes(after, "math3")


def test_another_reward_model_reruns_the_sets_that_read_it_and_no_other(
    root: Path, reward: Path
) -> None:
    before = load_hh(root)
    expected = {set_: hashes(before, set_) for set_ in SETS}
    shutil.rmtree(reward)
    build_reward_model(reward, seed=1)
    content_digest.cache_clear()
    after = load_hh(root)
    assert_all_differ(expected["hh"], hashes(after, "hh"))
    assert hashes(after, "math3") == expected["math3"]


def test_the_parameters_are_in_the_specification_and_an_unused_entry_is_not(
    root: Path, reward: Path
) -> None:
    study = load_hh(root, unused={"objective": "clarity"})
    (hh,) = {
        cell.objective_set: cell for cell in study.cells if cell.objective_set == "hh"
    }.values()
    given = hh.specification["objectives"]["given"]
    assert list(given) == ["helpful", "short", "shorter"]
    assert given["short"] == {
        "objective": "length_penalty",
        "parameters": {"target": 16, "limit": 48},
    }
    assert given["helpful"]["parameters"]["model"] == study.model_digest("reward")
    other = load_hh(root)
    assert hashes(study, "hh") == hashes(other, "hh")


def test_the_sources_of_an_entry_are_those_of_what_it_stands_for(root: Path, reward: Path) -> None:
    names = {path.relative_to(PACKAGE).as_posix() for path in load_hh(root).scoring_code("hh")}
    assert {"objectives/length_penalty.py", "objectives/reward_model.py"} <= names
    assert {"objectives/scorer.py", "models/policy/loading.py"} <= names
    assert not {"objectives/format.py", "objectives/clarity.py", "study/study.py"} & names


def test_a_reward_model_of_the_hub_is_not_looked_at_before_it_is_there(root: Path) -> None:
    entry = {"objective": "reward_model", "model": "hub-model"}
    study = load_study(
        root, objectives={"h": entry}, objective_sets={"a": {"objectives": ["h", "format"]}}
    )
    assert study.objective_models("a") == ("hub-model",)


@pytest.mark.parametrize(("name", "count"), [(n, len(members)) for n, members in NAMED.items()])
def test_every_named_set_makes_a_study(root: Path, name: str, count: int) -> None:
    study = load_study(root, objective_sets={name: None}, algorithms={"linear": None})
    assert len(study.make_objectives(name)) == count


# --- the task ----------------------------------------------------------------------------


def own_table(root: Path, count: int = 9) -> dict[str, Any]:
    """Write a table of problems and return what a study says of it."""
    rows = [json.dumps({"prompt": f"1 + {n}", "answer": n + 1}) for n in range(count)]
    (root / "mine.jsonl").write_text("\n".join(rows))
    return {"name": "table", "path": "mine.jsonl", "train": 5, "validation": 1, "test": 1}


SHORT = {"prompts_per_step": 4}


def test_where_a_tasks_data_are_from_may_stand_beside_its_name(root: Path) -> None:
    told = own_table(root)
    beside = load_study(root, task=told, training=SHORT)
    path = told.pop("path")
    among = load_study(root, task=told | {"parameters": {"path": path}}, training=SHORT)
    assert beside.file == among.file
    assert beside.task.split("train", 5) == among.task.split("train", 5)


def test_editing_the_users_data_is_another_cell(root: Path) -> None:
    before = load_study(root, task=own_table(root), training=SHORT).cells[0]
    assert load_study(root, task=own_table(root), training=SHORT).cells[0].hash == before.hash
    told = own_table(root, count=10)
    content_digest.cache_clear()
    after = load_study(root, task=told, training=SHORT).cells[0]
    assert after.training_hash != before.training_hash
    assert after.hash != before.hash


def test_a_study_of_data_not_downloaded_yet_has_its_cells_and_says_what_it_needs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root / "no cache"))
    study = load_study(root, task={"name": "math500", "train": 300, "validation": 100, "test": 100})
    assert len(study.cells) == len({cell.hash for cell in study.cells}) > 0
    (need,) = study.task.needs()
    assert need.repo == "HuggingFaceH4/MATH-500"
    with pytest.raises(CrosstalkError, match="not downloaded yet: run `crosstalk prepare`"):
        study.task.split("test", 100)
    other = load_study(root, task={"name": "math500", "revision": "0" * 40})
    assert other.cells[0].hash != study.cells[0].hash


def test_ten_thousand_cells_have_ten_thousand_hashes(root: Path) -> None:
    algorithms = {f"c{i}": {"scalarizer": "ctwa", "step_size": 0.01 * i} for i in range(1, 26)}
    study = load_study(root, algorithms=algorithms, seeds=list(range(100)))
    assert len(study.cells) == 10_000
    assert len({cell.hash for cell in study.cells}) == 10_000


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"learning_rate": 3e-2}},
        {"seeds": [0, 1, 2]},
        {"evaluation": {"seed": 5}},
        {"diagnosis": {"steps": [0]}},
        {"algorithms": {"linear": None}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_snapshot_tells_an_edited_study(root: Path, change: dict[str, Any]) -> None:
    before = load_study(root)
    after = load_study(root, **change)
    assert before.snapshot != after.snapshot
    assert before.snapshot == load_study(root, description="in other words").snapshot
    assert not before.snapshot[0].isdigit()  # Snakemake reads digits as a number


def test_tables_have_a_hash_of_what_they_show(root: Path) -> None:
    before, after = load_study(root), load_study(root, evaluation={"seed": 5})
    assert before.results_hash != after.results_hash
    assert before.diagnoses_hash != after.diagnoses_hash
    assert before.results_hash == load_study(root, description="in other words").results_hash
